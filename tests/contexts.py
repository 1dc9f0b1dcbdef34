"""Datasets for tests, without a config."""

from zoo.data.context import DataContext
from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.registry import DATASETS


def context(split=None, encoding=None, **shared):
    """A `DataContext`; `encoding` is the JSON of one, `shared` its other fields."""
    encoding = None if encoding is None else load_encoding(encoding)
    return DataContext(split or Split(), encoding, **shared)


def build_dataset(options, **shared):
    """The dataset that `options["name"]` says, from its own options, `root` and a context."""
    options = dict(options)
    if "root" in options:
        shared["root"] = options.pop("root")
    return DATASETS.build(options, context=context(**shared))
