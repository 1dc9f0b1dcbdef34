"""What the standard library says of itself: docstrings, comments, topics."""

import ast
import sys
from itertools import islice

import pytest

from zoo.data.build import build_dataset
from zoo.data.datasets import pydoc, stdlib
from zoo.data.datasets.pydoc import paragraphs
from zoo.errors import UserError


def test_docstrings_are_those_that_python_finds():
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
    checked = 0
    for name, source in islice(stdlib.sources(), 0, None, 25):
        actual = set(paragraphs(source))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                assert text in actual, (name, text)
                checked += 1
    assert checked > 100


SOURCE = r'''#!/usr/bin/env python
# -*- coding: utf-8 -*-
# Copyright someone, all rights reserved.

"""What this module does.

It has \"quotes\" and a # hash.
"""

# A comment that goes on
# over two lines.
#
# --------------------
# A second paragraph of it.
#x = call(1)
import os  # a comment after the code

def f(x, y={"a": "b # no comment"}):
    r"""Raw \d text."""
    # old = f(x)
    # return old
    text = """not a docstring"""  # too short
    return text, "# nor this"


class C:  # words behind a colon
    'Single quotes.'
    b = b"""bytes here are no text"""
'''


def test_prose_of_a_file():
    assert list(paragraphs(SOURCE)) == [
        'What this module does.\n\nIt has "quotes" and a # hash.',
        "A comment that goes on\nover two lines.\n\n\nA second paragraph of it.\nx = call(1)",
        "a comment after the code",
        "Raw \\d text.",
        "words behind a colon",
        "Single quotes.",
    ]


def test_no_paragraph_is_repeated(monkeypatch):
    shared = "This sentence is found in two files, and is longer than a phrase."
    one, two = f'"""{shared}\n\nShort.\n"""', f'"""Another.\n\n{shared}\n\nShort.\n"""'
    monkeypatch.setattr(
        pydoc, "sources", lambda: iter([("a.py", one), ("b.py", two), ("c.py", "")])
    )
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)  # there is none
    assert prose_of_library() == {
        "a.py": f"{shared}\n\nShort.\n",
        "b.py": "Another.\n\nShort.\n",
    }


def prose_of_library():
    return dict(pydoc.prose(pydoc._everything(), set()))


def test_topics_of_help_are_there(monkeypatch):
    monkeypatch.setattr(pydoc, "sources", lambda: iter([]))
    prose = prose_of_library()
    assert "topics/lambda" in prose and "anonymous" in prose["topics/lambda"]


def with_packages(folder, monkeypatch, packages):
    """`pydoc` of 20 files; each file of a package repeats a sentence that one of them has."""
    texts = [
        f"The file number {k} of this library says something that is its own." for k in range(20)
    ]
    files = [(f"{k}.py", f'"""{text}"""\n') for k, text in enumerate(texts)]
    monkeypatch.setattr(pydoc, "sources", lambda: iter(files))
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)  # there is none
    for name in ("pkg_of_text", "pkg_of_text/tests"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "pkg_of_text" / "__init__.py").write_text(f'"""{texts[3]}\n\nOf packages."""\n')
    (folder / "pkg_of_text" / "tests" / "test.py").write_text('"""Of tests."""\n')
    (folder / "pkg_without").mkdir(exist_ok=True)
    (folder / "pkg_without" / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(folder))
    settings = {"name": "pydoc", "root": str(folder), "block_size": 16, "tokenizer": "byte"}
    return build_dataset(settings | {"packages": packages, "split_seed": 0})


def text_of(dataset, split):
    return dataset.encoding.tokenizer.decode(dataset.splits[split].tokens[:].tolist())


def test_packages_are_training_text_and_nothing_else(tmp_path, monkeypatch):
    alone = with_packages(tmp_path, monkeypatch, [])
    more = with_packages(tmp_path, monkeypatch, ["pkg_of_text", "pkg_of_text"])
    for split in ("val", "test"):
        assert text_of(more, split) == text_of(alone, split) != ""
    text = text_of(more, "train")
    assert text.count("Of packages.") == 1 and "Of tests." not in text
    texts = "".join(text_of(more, split) for split in ("train", "val", "test"))
    assert texts.count("number 3 ") == 1  # what the library has is not repeated
    assert "training text of pkg_of_text" in more.notes


@pytest.mark.parametrize(
    "name, hint",
    [
        ("omegaconv", "did you mean 'omegaconf'"),
        ("pkg_without", "that has docstrings"),
        ("torch.nn", "as `import` takes it"),
        ("", "no installed package"),
    ],
)
def test_a_package_that_is_not_there_is_refused(tmp_path, monkeypatch, name, hint):
    with pytest.raises(UserError, match=r"data\.packages: .*" + hint):
        with_packages(tmp_path, monkeypatch, [name])
