"""Heads and bodies of functions, split as the files are."""

from contexts import context

from zoo.data.datasets import stdlib_functions as module
from zoo.data.datasets.stdlib_functions import functions, stdlib_functions
from zoo.data.tokenizers.config import TokenizerConfig

SOURCE = (
    '''
class A:
    @property
    def two(self, x,
            y):
        """Both."""

        # A comment.
        if x:
            return y
        return x

    def one(self): return 1

    def short(self):
        return 2

def long(a):
    b = """text
at the margin"""
    return b + "'''
    + "a" * 50
    + """"
"""
)


def test_heads_end_before_the_first_statement():
    (two, long) = sorted(functions(SOURCE, 200), key=lambda pair: len(pair[1]))
    assert two[0].startswith('def two(self, x,\n        y):\n    """Both."""\n\n    # A comment.')
    assert two[1] == "\n    if x:\n        return y\n    return x"
    assert long[0] == "def long(a):" and long[1].startswith('\n    b = """text\nat the margin"""')
    assert [pair[0] for pair in functions(SOURCE, 90)] == [two[0]]
    assert list(functions("def broken(:\n", 90)) == []


def test_no_function_of_a_test_file_is_trained_on(monkeypatch):
    files = [(f"{k}.py", f"def f{k}(a):\n    a = {k}\n    return a\n" * 2) for k in range(40)]
    monkeypatch.setattr(module, "sources", lambda: iter(files))
    settings = context(tokenizer=TokenizerConfig("byte", None))
    dataset = stdlib_functions(settings, 64)
    sizes = {split: len(source) for split, source in dataset.splits.items()}
    assert sizes == {"train": 28, "val": 4, "test": 8}  # of each file one: they are equal
    assert dataset.encoding.runtime_facts["verifier"]("def f(a):", "\n    return a") == 1
