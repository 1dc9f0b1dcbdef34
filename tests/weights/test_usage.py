"""Examples of model cards, by their own code. With a model: test_every_export.py."""

import json
import re

import numpy as np
import pytest
import torch

from zoo.data.tables.dates import date_part, parts_of
from zoo.data.tables.encoding import FileForm, TableEncoding, Target
from zoo.data.tables.reading import Reading
from zoo.weights.raw_inputs import describe, preprocessed
from zoo.weights.usage import TABLE, graph_example


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
    blank, missing = (scope["features"]({"x": 1, "kind": kind}).tolist() for kind in ("", None))
    assert blank == missing
    with pytest.raises(TypeError, match="kind: 7 is no text"):  # not silently another category
        scope["features"]({"x": 1, "kind": 7})


@pytest.mark.parametrize(
    ("order", "moments"),
    [
        ("y-m-d", ["2024-05-03", "2024-02-29 13:30", "2025-01-01T23:15:30+02:00", None]),
        ("y-m", ["2024-05", "1969-12", None]),
        ("time", ["13:45", "00:00:30", None]),
    ],
)
def test_a_date_becomes_what_the_encoding_makes_of_it(order, moments):
    """As ISO 8601 writes it; a missing one too."""
    columns = {
        f"when {part}": torch.tensor(date_part(moments, order, part), dtype=torch.float64)
        for part in parts_of(order)
    }
    readings = {f"when {part}": Reading("when", date=order, part=part) for part in parts_of(order)}
    form = FileForm(readings=readings)
    rows = torch.arange(len(moments))
    encoding = TableEncoding.fit(columns, rows, [Target("y", "regression")], form)
    facts = {"feature_scales": [scale for c in encoding.columns for scale in c.scales]}
    graph = preprocessed(torch.nn.Identity(), encoding, facts)
    about = json.loads(json.dumps(describe(encoding, facts, "regression")))
    example = graph_example("onnx", about)
    compile(example, "example", "exec")
    assert "from datetime import" in example
    scope = {"np": np, "about": about}
    functions = example[example.index("def read") : example.index("def predict")]
    exec(f"from datetime import *\n{functions}", scope)
    for row, moment in enumerate(moments):
        features = graph.prepare(torch.from_numpy(scope["features"]({"when": moment})))
        torch.testing.assert_close(features[0], encoding.encode(columns)[row])


def test_a_text_becomes_what_the_encoding_makes_of_it():
    texts = ["late and broken", "Late, but 好 whole", "broken 好"]
    columns = {"x": torch.tensor([1.0, 2.0, 5.0]).double(), "review": texts}
    form = FileForm(texts=("review",))
    encoding = TableEncoding.fit(columns, torch.arange(3), [Target("y", "regression")], form)
    facts = {"feature_scales": [scale for c in encoding.columns for scale in c.scales]}
    graph = preprocessed(torch.nn.Identity(), encoding, facts)
    about = describe(encoding, facts, "regression")
    scope = {"np": np, "re": re, "about": about}
    exec(TABLE, scope)
    assert encoding.columns[1].words == ("broken", "late", "好")
    for text in (texts[1], "LATE late 好好 x", "", None):
        expected = encoding.encode({"x": torch.tensor([3.0]).double(), "review": [text]})
        features = scope["features"]({"x": 3, "review": text})
        torch.testing.assert_close(graph.prepare(torch.from_numpy(features)), expected)
    assert "import re" in graph_example("onnx", about) and "tfidf" in graph_example("onnx", about)


def test_a_table_without_text_has_no_words_in_its_example():
    columns = {"x": torch.tensor([1.0, 2.0, 5.0]).double()}
    encoding = TableEncoding.fit(columns, torch.arange(3), [Target("y", "regression")])
    example = graph_example("onnx", describe(encoding, {}, "regression"))
    assert "tfidf" not in example and "import re" not in example
    compile(example, "example", "exec")
