"""What a user types, as a question."""

import numpy as np
import pytest
import torch

from zoo.data.encoding import load_encoding
from zoo.data.sequences.encoding import BitEncoding
from zoo.data.sequences.questions import copy_question, recall_question
from zoo.errors import UserError

COPY, RECALL = BitEncoding("copy", 3, 2), BitEncoding("recall", 2, 0)


def test_typed_bits_are_the_question_that_the_data_has():
    names, stored = COPY.read("011 100")
    expected = copy_question(np.array([[0, 1, 1], [1, 0, 0]], np.uint8), 2)
    assert names == ["011 100"] and stored["input"][0].tolist() == expected.input.tolist()
    assert stored["scored"][0].tolist() == expected.scored.tolist()
    _, stored = RECALL.read("01 10 / 11 00 / 00 00 / 11 00")
    items = np.array([[[0, 1], [1, 0]], [[1, 1], [0, 0]], [[0, 0], [0, 0]]], np.uint8)
    assert stored["input"][0].tolist() == recall_question(items, 1, 0).input.tolist()
    assert RECALL.prepare(stored)["input"].dtype == torch.float32


def test_a_run_keeps_its_form():
    for encoding in (COPY, RECALL):
        assert load_encoding(encoding.to_json()) == encoding
    assert RECALL.facts() == {"input_width": 4, "num_outputs": 2}


@pytest.mark.parametrize(
    "encoding, text, message",
    [
        (COPY, "01", "expected vectors of 3 bits, such as input='010 101'"),
        (COPY, "012", "vectors of 3 bits"),
        (COPY, "", "vectors of 3 bits"),
        (COPY, "011 / 100", "vectors of 3 bits"),
        (
            RECALL,
            "01 / 01",
            "items of as many vectors of 2 bits each, such as input='01 / 10",
        ),
        (RECALL, "01 / 10 11 / 01", "items of as many vectors"),
        (RECALL, "01 / 10 / 11", "expected one of those before it"),
        (RECALL, "01 / 10 / 10", "not the last of them"),
    ],
)
def test_what_is_no_question_is_one_line(encoding, text, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        encoding.read(text)


def test_sequences_of_unequal_length_are_one_batch():
    encoding = BitEncoding("copy", 8, 0)
    short, long = (encoding.read(text)[1] for text in ("00000001", "01101001 11110000 00000001"))
    both = encoding.join([short, long])
    steps = short["input"].shape[1]
    assert torch.equal(both["input"][:1, :steps], short["input"])
    assert torch.equal(both["scored"][:1, :steps], short["scored"])
    assert not both["input"][0, steps:].any() and not both["scored"][0, steps:].any()
    assert torch.equal(both["input"][1:], long["input"])
