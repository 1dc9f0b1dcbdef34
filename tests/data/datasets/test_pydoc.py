"""What the standard library says of itself: docstrings, comments, topics."""

import ast
from itertools import islice

from zoo.data.datasets import pydoc, stdlib
from zoo.data.datasets.pydoc import paragraphs


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
    monkeypatch.setattr(pydoc.importlib, "import_module", missing)
    assert dict(pydoc.prose()) == {
        "a.py": f"{shared}\n\nShort.\n",
        "b.py": "Another.\n\nShort.\n",
    }


def missing(name):
    raise ImportError(name)


def test_topics_of_help_are_there(monkeypatch):
    monkeypatch.setattr(pydoc, "sources", lambda: iter([]))
    prose = dict(pydoc.prose())
    assert "topics/lambda" in prose and "anonymous" in prose["topics/lambda"]
