"""What does this function do? Asked and answered by the standard library's own docstrings.

Each prompt is a signature (`json.loads(s, *, cls=None, ...)`), each response the first sentence of
its docstring: some thousands of both, in the source code of the Python that runs the program.
"""

import ast
import functools
import platform
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import sources
from zoo.data.splits import Split
from zoo.data.text.encoding import TextForm
from zoo.data.text.prompts import Pair, sft_dataset
from zoo.registry import DATASETS

SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
FEWEST, MOST = 4, 60  # words of an answer
LONGEST = 200  # letters of a signature
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@DATASETS.register("pydoc_answers", tiny=dict(block_size=64))
def pydoc_answers(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    template: str = "{prompt}\n",
) -> Dataset:
    """Signatures, each with what its docstring says first."""
    found = answers()
    index = split.indices(torch.zeros(len(found), dtype=torch.int64))
    pairs = {name: [found[i] for i in part.tolist()] for name, part in index.items()}
    if encoding is not None:
        pairs["all"] = found
    dataset = sft_dataset("pydoc_answers", pairs, form, block_size, template, encoding)
    dataset.notes.append(f"standard library of Python {platform.python_version()}")
    return dataset


@functools.cache
def answers() -> list[Pair]:
    """Prompts and responses; of answers that are the same words, the first."""
    seen: set[str] = set()
    found = []
    for name, source in sources():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes
                tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for signature, said in _documented(tree, module):
            if said not in seen and len(signature) <= LONGEST:
                seen.add(said)
                found.append((signature, said))
    return found


def _documented(tree: ast.AST, prefix: str) -> Iterator[Pair]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{prefix}.{node.name}"
            text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            sentence = SENTENCE.match(text)
            said = sentence[1] if sentence else text
            if FEWEST <= len(said.split()) <= MOST:
                arguments = "" if isinstance(node, ast.ClassDef) else _arguments(node)
                yield f"{name}{arguments}", said
            if isinstance(node, ast.ClassDef):
                yield from _documented(node, name)


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f"({ast.unparse(node.args)})"
