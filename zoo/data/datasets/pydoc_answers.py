"""What does this function do? Answered by the docstrings of the standard library.

Each prompt is a signature (`json.loads(s, *, cls=None, ...)`), each response the first sentence of
its docstring: some thousands of both, in the source code of the Python that runs the program.
"""

import ast
import functools
import re
from collections.abc import Iterator

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import sources, version_note
from zoo.data.text.prompts import Pair, prompt_dataset
from zoo.data.text.python_code import parse_code
from zoo.registry import DATASETS

SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
MIN_WORDS, MAX_WORDS = 4, 60  # of an answer
MAX_LETTERS = 200  # of a signature
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@DATASETS.register("pydoc_answers", uses=("tokenizer",), tiny={"block_size": 64})
def pydoc_answers(
    context: DataContext,
    block_size: int,
    template: str = "{prompt}\n",
) -> Dataset:
    """Signatures, each with the first sentence of its docstring."""
    dataset = prompt_dataset("pydoc_answers", answers(), context, block_size, template)
    dataset.notes.append(version_note())
    return dataset


@functools.cache
def answers() -> list[Pair]:
    """Prompts and responses; of equal answers, the first."""
    seen: set[str] = set()
    pairs = []
    for name, source in sources():
        tree = parse_code(source)
        if tree is None:
            continue
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for signature, answer in _documented(tree, module):
            if answer not in seen and len(signature) <= MAX_LETTERS:
                seen.add(answer)
                pairs.append((signature, answer))
    return pairs


def _documented(tree: ast.AST, prefix: str) -> Iterator[Pair]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{prefix}.{node.name}"
            text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            sentence = SENTENCE.match(text)
            answer = sentence[1] if sentence else text
            if MIN_WORDS <= len(answer.split()) <= MAX_WORDS:
                arguments = "" if isinstance(node, ast.ClassDef) else _arguments(node)
                yield f"{name}{arguments}", answer
            if isinstance(node, ast.ClassDef):
                yield from _documented(node, name)


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f"({ast.unparse(node.args)})"
