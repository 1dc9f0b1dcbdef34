"""The first lines of a run, and the remark on a model that is far too large for its text."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zoo.data.text.pairs import PairSource
from zoo.data.text.scored import ScoredSource
from zoo.data.text.windows import TokenSource
from zoo.header import size_notes

ROW = np.zeros(5, np.int32)
SOURCES = {
    "causal_lm": TokenSource(np.zeros(10, np.uint8), 4),
    "masked_lm": ScoredSource.of([(ROW, ROW > 0), (ROW, ROW > 0)], 0),
    "seq2seq": PairSource.of([(ROW, ROW)], torch.int16),
}  # ten tokens each


def remarks(task, parameters, source, origin=None):
    trainer = SimpleNamespace(parameters=[torch.zeros(parameters - 1), torch.zeros(1)])
    config = SimpleNamespace(task={"name": task}, init=SimpleNamespace(from_=origin))
    return size_notes(trainer, config, SimpleNamespace(splits={"train": source}))


@pytest.mark.parametrize("task", SOURCES)
def test_a_language_model_far_too_large_for_its_text_is_remarked_on(task):
    """Above a hundred parameters a token; never for weights that other text has trained."""
    (said,) = remarks(task, 2000, SOURCES[task])
    assert said == "200 parameters per training token: it may learn the text by heart"
    assert len(remarks(task, 1001, SOURCES[task])) == 1
    assert remarks(task, 1000, SOURCES[task]) == []
    assert remarks(task, 2000, SOURCES[task], "outputs/gpt") == []


def test_other_tasks_are_not_remarked_on():
    assert remarks("skip_gram", 10**6, SOURCES["causal_lm"]) == []
    assert remarks("seq2seq", 10**6, [1, 2]) == []  # a source that counts no tokens


def test_the_header_says_in_80_columns_what_is_trained_on_what(train):
    run = train("experiment=mlp_diabetes", "trainer.max_steps=97", "seed=3")
    header = dict(line.split(None, 1) for line in run.out.split("\n\n")[0].splitlines())
    assert header["run"] == str(run.path) and header["recipe"] == "mlp_diabetes"
    assert header["model"] == "mlp, 769 parameters"
    assert header["data"] == "diabetes: 310 train, 44 val, 88 test; input 10"
    assert header["task"] == "regression; the best loss (lowest) on val is kept"
    assert header["precision"].startswith("fp32 (auto: ")
    assert header["budget"] == "97 steps of 32 samples = about 10 epochs; seed 3"
    assert all(len(text) + 11 < 80 for label, text in header.items() if label != "run")
    assert f"\nnext\n  tensorboard --logdir {train.outputs}\n  python evaluate.py" in run.out
