"""Continuations scored: as one by one, whatever else is in the batch."""

import pytest
import torch

from zoo.inference import scoring
from zoo.inference.scoring import score
from zoo.models.gpt import GPT
from zoo.models.mamba import Mamba

PAIRS = [([1, 2], [3, 4, 5]), ([5], [1]), ([3, 3, 3], [2, 2]), ([4, 1], [5])]


@pytest.fixture(params=["gpt", "mamba"])
def model(request):
    torch.manual_seed(0)
    sizes = dict(width=8, depth=1)
    is_mamba = request.param == "mamba"
    model = Mamba(6, **sizes) if is_mamba else GPT(6, 8, heads=2, **sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.double().eval()


@pytest.mark.parametrize("logits", [1, 60, 2**26])  # one row a batch; two or more; all
def test_scores_equal_a_loop(model, logits, monkeypatch):
    monkeypatch.setattr(scoring, "LOGITS", logits)
    for (before, after), found in zip(PAIRS, score(model, PAIRS), strict=True):
        with torch.no_grad():
            log_p = model(torch.tensor([before + after[:-1]]))[0].log_softmax(1)
        expected = [log_p[len(before) - 1 + k, token] for k, token in enumerate(after)]
        torch.testing.assert_close(found.log_p, torch.stack(expected), rtol=1e-9, atol=1e-9)
        assert not found.log_p.requires_grad
        likeliest = log_p.argmax(1).tolist()[-len(after) :]
        assert found.greedy == (likeliest == after)


def test_what_greedy_decoding_writes_is_greedy(model):
    ids = [2]
    with torch.no_grad():
        for _ in range(4):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    other = (ids[-1] + 1) % 6
    first, second = score(model, [(ids[:1], ids[1:]), (ids[:1], [*ids[1:-1], other])])
    assert first.greedy and not second.greedy
