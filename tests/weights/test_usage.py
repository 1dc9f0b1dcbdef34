"""Examples of model cards, by their own code. With a model: test_every_export.py."""

import numpy as np
import torch

from zoo.data.tables.encoding import TableEncoding, Target
from zoo.weights.raw_inputs import describe, preprocessed
from zoo.weights.usage import TABLE


def test_a_row_becomes_what_the_encoding_makes_of_it():
    """Missing numbers and texts, unknown ones, a category that is called `other`."""
    columns = {"x": torch.tensor([1.0, float("nan"), 5.0]).double(), "kind": ["a", "other", None]}
    encoding = TableEncoding.fit(columns, torch.arange(3), [Target("y", "regression")])
    facts = {"feature_scales": [scale for c in encoding.columns for scale in c.scales]}
    graph = preprocessed(torch.nn.Identity(), encoding, facts)
    scope = {"np": np, "about": describe(encoding, facts, "regression")}
    exec(TABLE, scope)
    for number, kind in ((1, "a"), (None, "other"), (5, None), (2.5, "new")):
        value = float("nan") if number is None else number
        expected = encoding.encode({"x": torch.tensor([value]).double(), "kind": [kind]})
        features = scope["features"]({"x": number, "kind": kind})
        torch.testing.assert_close(graph.prepare(torch.from_numpy(features)), expected)
