"""Bodies of the standard library's short functions, each to be written after its head.

A prompt is a function's first lines, its docstring included; the response is the rest, from the
line break on. Whether Python's parser accepts an answer can be checked. Split by file as `stdlib`
is, so that a model trained on `data=stdlib` has seen no validation or test function.
"""

import ast
import textwrap
from collections.abc import Iterator

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import sources, version_note
from zoo.data.splits import split_items
from zoo.data.text.prompts import Pair, prompt_dataset
from zoo.data.text.python_code import parse_code
from zoo.errors import UserError
from zoo.registry import DATASETS

MIN_LINES = 2  # of a body; shorter ones are hardly a question


@DATASETS.register("stdlib_functions", uses=("tokenizer",), tiny={"block_size": 512})
def stdlib_functions(
    context: DataContext,
    block_size: int,
    template: str = "{prompt}",
    longest: int = 400,
) -> Dataset:
    """Heads of functions, each with its body, by a verifier.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of both together.
        template: The text around a head.
        longest: Characters of a head, and of a body, at most.
    """
    if longest < 1:
        raise UserError(f"data.longest={longest}: expected 1 or more")
    seen: set[Pair] = set()
    splits = {}
    for split, files in split_items(list(sources()), context.split).items():
        found = (pair for _, source in files for pair in functions(source, longest))
        splits[split] = [pair for pair in dict.fromkeys(found) if pair not in seen]
        seen.update(splits[split])
    dataset = prompt_dataset(
        "stdlib_functions", splits, context, block_size, template, verifier="python"
    )
    dataset.notes.append(version_note())
    return dataset


def functions(source: str, longest: int) -> Iterator[Pair]:
    """Heads and bodies of a file's functions and methods, from the left margin on.

    Args:
        source: Of the file.
        longest: Characters of each, at most.
    """
    tree = parse_code(source)
    lines = source.split("\n")
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        has_docstring = ast.get_docstring(node, clean=False) is not None
        first = node.body[1:2] if has_docstring else node.body[:1]
        start, last = node.lineno - 1, node.end_lineno or node.lineno
        if not first or first[0].lineno - 1 <= start or last - first[0].lineno + 1 < MIN_LINES:
            continue
        text = textwrap.dedent("\n".join(lines[start:last])).split("\n")
        cut = first[0].lineno - 1 - start
        head, body = "\n".join(text[:cut]), "\n" + "\n".join(text[cut:])
        if max(len(head), len(body)) <= longest and parse_code(head + body) is not None:
            yield head, body
