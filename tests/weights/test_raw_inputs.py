"""Preprocessing as a part of a graph: what the encodings do."""

import pytest
import torch
from torch import nn

from zoo.data.images.encoding import ImageEncoding
from zoo.data.tables.encoding import TableEncoding, Target
from zoo.weights.raw_inputs import describe, preprocessed


def test_bytes_become_what_the_encoding_makes_of_them():
    encoding = ImageEncoding((4, 5), 3, (0.5, 0.1, 0.9), (0.25, 0.5, 0.1), ("a", "b"))
    pixels = torch.randint(0, 256, (7, 3, 4, 5), dtype=torch.uint8)
    graph = preprocessed(nn.Identity(), encoding, {"class_names": ["a", "b"]})
    prepared = encoding.prepare({"input": pixels})["input"]
    torch.testing.assert_close(graph(pixels), prepared, rtol=1e-6, atol=1e-6)
    assert torch.equal(graph.raw(prepared), pixels)
    about = describe(encoding, {"class_names": ["a", "b"]}, "classification")
    assert about["image"] == {
        "channels": 3,
        "height": 4,
        "width": 5,
        "resize": "crop",
        "background": "black",
    }


def test_columns_and_answers_keep_their_units():
    columns = {"x": torch.tensor([1e6, 2e6, 4e6]).double(), "kind": ["a", "b", None]}
    encoding = TableEncoding.fit(columns, torch.arange(3), [Target("y", "regression")])
    scales = [scale for column in encoding.columns for scale in column.scales]
    facts = {"feature_scales": scales, "target_mean": 10.0, "target_std": 4.0}
    graph = preprocessed(nn.Identity(), encoding, facts)
    prepared = encoding.encode(columns)
    raw = torch.tensor([[1e6, 1, 0, 0, 0], [2e6, 0, 1, 0, 0], [4e6, 0, 0, 0, 1]]).double()
    torch.testing.assert_close(graph(raw), prepared.double() * 4 + 10)
    torch.testing.assert_close(graph.raw(prepared), raw)
    torch.testing.assert_close(graph.standardised(graph(raw)), prepared.double())


def test_large_answers_keep_their_digits():
    graph = preprocessed(nn.Identity(), None, {"target_mean": 1.7e9, "target_std": 10.0})
    prepared = torch.tensor([[0.05], [-1.0]])
    assert graph(prepared).flatten().tolist() == pytest.approx([17e8 + 0.5, 17e8 - 10], abs=1e-4)
    torch.testing.assert_close(graph.standardised(graph(prepared)).float(), prepared)
