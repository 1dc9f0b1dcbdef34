"""Bits that are asked for, by hand; what is drawn and predicted."""

import math

import pytest
import torch
import torch.nn.functional as F
from previews import Previews
from torch import nn

from zoo.models.ntm import NTM
from zoo.tasks.bits import Bits

LOGITS = torch.tensor(
    [[[3.0, -2.0], [1.0, 1.0], [-1.0, 4.0]], [[2.0, 2.0], [0.5, -4.0], [9.0, 9.0]]]
)
TARGET = torch.tensor([[[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]], [[0.0, 0.0]] * 3])
SCORED = torch.tensor([[False, True, True], [True, True, False]])
BATCH = {"input": LOGITS, "target": TARGET, "scored": SCORED}


def test_only_bits_that_are_asked_for_count():
    output = Bits().step(nn.Identity().eval(), BATCH)
    asked = LOGITS[SCORED], TARGET[SCORED]
    assert float(output.loss_sum) == pytest.approx(
        float(F.binary_cross_entropy_with_logits(*asked, reduction="sum"))
    )
    assert output.count == 8
    means = {name: value / 8 for name, value in output.sums.items()}
    metrics = Bits().summarize(means | {"loss": output.loss_sum / 8})
    assert metrics["wrong_bits"] == 3 / 8 and metrics["exact_match"] == 1 / 2
    trivial = Bits().baseline(means).metrics
    assert trivial == {"loss": math.log(2), "wrong_bits": 3 / 8, "exact_match": 1 / 2}
    cut = [Bits().step(nn.Identity(), {n: c[k : k + 1] for n, c in BATCH.items()}) for k in (0, 1)]
    assert float(sum(part.loss_sum for part in cut)) == pytest.approx(float(output.loss_sum))
    assert sum(part.count for part in cut) == 8


def test_the_answer_is_what_is_asked_for():
    rows = list(Bits().predict(nn.Identity(), {"input": LOGITS, "scored": SCORED}))
    assert [row["answer"] for row in rows] == ["11 01", "11 10"]
    shares = LOGITS[0, 1:].sigmoid()
    expected = float(torch.maximum(shares, 1 - shares).prod())
    assert rows[0]["probability"] == pytest.approx(expected)


@pytest.mark.parametrize("slots", [5, 0])
def test_a_sequence_is_drawn_with_its_heads(slots):
    torch.manual_seed(0)
    model = NTM(2, 2, width=6, slots=slots, slot=4).eval()
    previews = Previews()
    with torch.no_grad():
        Bits().preview(model, BATCH, {}, previews)
    names = [axes.get_ylabel() for axes in previews.full["remembered"].axes]
    assert names == ["shown", "answer", "writes", "reads"][: 4 if slots else 2]
    assert len(previews.figures["remembered"].axes) == len(names)
