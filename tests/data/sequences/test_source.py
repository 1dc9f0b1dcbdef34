"""Sequences of unequal length in one batch."""

import numpy as np
import pytest
import torch

from zoo.data.build import build_dataset
from zoo.data.sequences.questions import copy_question
from zoo.data.sequences.source import BitSource
from zoo.errors import UserError


def test_shorter_sequences_are_filled_up_and_not_asked_for():
    vectors = [np.ones((length, 2), np.uint8) for length in (1, 3, 2)]
    questions = [copy_question(v, 0) for v in vectors]
    source = BitSource.of(questions)
    assert len(source) == 3 and source.bucket_key.tolist() == [3, 7, 5]
    batch = source.fetch(torch.tensor([2, 0, 1]))
    short = source.trimmed(
        {name: column[:2] for name, column in batch.items()}, torch.tensor([2, 0])
    )
    assert all(column.equal(batch[name][:2, :5]) for name, column in short.items())
    for row, question in enumerate([questions[2], questions[0], questions[1]]):
        size = len(question.scored)
        for name, expected in question._asdict().items():
            assert batch[name][row, :size].tolist() == expected.tolist()
        assert not batch["scored"][row, size:].any() and not batch["input"][row, size:].any()


@pytest.mark.parametrize("name", ["copy", "recall"])
def test_data_that_is_evaluated_is_that_of_the_run(name):
    options = {"name": name, "bits": 3, "size": 100}
    data = build_dataset(options)
    encoding = data.encoding.to_json()
    again = build_dataset(options, encoding)
    assert again.sha256 == data.sha256 != build_dataset(options | {"size": 101}).sha256
    assert len(again.splits["all"]) == 100
    further = build_dataset(options | {"distance": 4}, encoding)
    assert further.sha256 != data.sha256 and further.facts == data.facts
    for other in ({"name": "copy" if name == "recall" else "recall"}, {"bits": 4}):
        with pytest.raises(UserError, match=f"trained on data={name} of 3 bits, this is data="):
            build_dataset(options | other, encoding)
