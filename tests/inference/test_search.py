"""Search against an enumeration of all targets; caching, batching and early stopping."""

import itertools

import pytest
import torch

from zoo.inference.search import beam_search, greedy_search
from zoo.registry import MODELS

PAD, BOS, EOS = 0, 1, 2
SIZE, LENGTH = 6, 5  # of the vocabulary; maximum length of a target
NAMES = [name for name in MODELS.names() if MODELS[name].tests.get("task") == "seq2seq"]
every_model = pytest.mark.parametrize("name", NAMES)


def make(name, seed=0, eos=0.0):
    """A model whose probabilities are far from uniform; `eos` is added to the logit of EOS."""
    torch.manual_seed(seed)
    tiny = MODELS[name].tests["tiny"] | {"vocab_size": SIZE}
    model = MODELS.build({"name": name, **tiny}).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    decode = model.decode

    def biased(tokens, memory, cache=None):
        logits = decode(tokens, memory, cache).clone()
        logits[..., EOS] += eos
        return logits

    model.decode = biased
    return model


def sources(seed=0):
    """Five sentences of one to five words, padded."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.full((5, 7), PAD)
    for row, words in zip(rows, (3, 1, 5, 2, 4), strict=True):
        middle = torch.randint(3, SIZE, (words,), generator=generator)
        row[: words + 2] = torch.cat([torch.tensor([BOS]), middle, torch.tensor([EOS])])
    return rows


def search(model, source, **options):
    return beam_search(model, source, BOS, EOS, LENGTH, (PAD, BOS), **options)


def greedy(model, source, **options):
    return greedy_search(model, source, BOS, EOS, LENGTH, (PAD, BOS), **options)


def every_target(model, source, length_penalty):
    """Score and tokens of every possible target, best first; a forward pass each, no cache."""
    scored = []
    for words in range(LENGTH):
        for text in itertools.product(range(3, SIZE), repeat=words):
            expected = torch.tensor([*text, EOS])
            tokens = torch.tensor([[BOS, *text]])
            with torch.no_grad():
                logits = model.decode(tokens, model.encode(source))[0]
            log_prob = float(logits.log_softmax(-1)[range(words + 1), expected].sum())
            scored.append((log_prob / ((5 + words + 1) / 6) ** length_penalty, list(text)))
    return sorted(scored, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@every_model
def test_a_wide_beam_finds_the_best_of_all_targets(name, length_penalty):
    model = make(name)
    for source in sources()[:2].split(1):
        best = every_target(model, source, length_penalty)
        (results,) = search(model, source, beam=250, n_best=7, length_penalty=length_penalty)
        assert [h.tokens for h in results] == [text for _, text in best[:7]]
        scores = torch.tensor([h.score for h in results])
        torch.testing.assert_close(scores, torch.tensor([s for s, _ in best[:7]]))


@every_model
def test_length_penalty_favours_longer_targets(name):
    lengths = []
    for length_penalty in (0.0, 1.0, 4.0):
        results = search(make(name, eos=-1), sources(), beam=50, length_penalty=length_penalty)
        lengths.append(sum(len(hypotheses[0].tokens) for hypotheses in results))
    assert lengths[0] < lengths[1] <= lengths[2] and lengths[0] < lengths[2]


@pytest.mark.parametrize("eos", [-8.0, -2.0, 0.0, 2.0])
@every_model
def test_one_beam_is_greedy_search(name, eos):
    model, source = make(name, eos=eos), sources()
    for penalty in (0.0, 9.0):  # however much a longer text would be worth
        results = [best[0].tokens for best in search(model, source, beam=1, length_penalty=penalty)]
        assert results == greedy(model, source)
    assert max(map(len, results)) <= LENGTH - 1
    if eos == -8:
        assert min(map(len, results)) == LENGTH - 1


@every_model
def test_greedy_search_takes_the_likeliest_token_each_time(name):
    model = make(name, seed=3)
    for source, text in zip(sources().split(1), greedy(model, sources()), strict=True):
        tokens = torch.tensor([[BOS, *text]])
        with torch.no_grad():
            logits = model.decode(tokens, model.encode(source))[0]
        logits[:, [PAD, BOS]] = float("-inf")
        expected = [*text, EOS] if len(text) < LENGTH - 1 else text
        assert logits.argmax(1).tolist()[: len(expected)] == expected


@every_model
def test_the_cache_changes_nothing(name):
    model, source = make(name, seed=1), sources()
    assert greedy(model, source) == greedy(model, source, cached=False)
    with_cache, without = (search(model, source, beam=4, n_best=3, cached=c) for c in (True, False))
    assert [[h.tokens for h in best] for best in with_cache] == [
        [h.tokens for h in best] for best in without
    ]


@every_model
def test_sentences_of_a_batch_do_not_see_each_other(name):
    model, source = make(name, seed=2), sources()
    lengths = (source != PAD).sum(1).tolist()
    alone = [row[None, :n] for row, n in zip(source, lengths, strict=True)]
    assert greedy(model, source) == [greedy(model, row)[0] for row in alone]
    together = search(model, source, beam=3, n_best=2)
    for results, row in zip(together, alone, strict=True):
        (expected,) = search(model, row, beam=3, n_best=2)
        assert [h.tokens for h in results] == [h.tokens for h in expected]
        for h, e in zip(results, expected, strict=True):
            assert h.score == pytest.approx(e.score) and h.log_prob == pytest.approx(e.log_prob)


@every_model
def test_stops_when_no_beam_can_win(name):
    """An end that is all but certain: the first step settles it, whatever the length allowed."""
    model, calls = make(name, eos=30), []
    decode = model.decode
    model.decode = lambda *given: calls.append(1) or decode(*given)
    assert [h[0].tokens for h in search(model, sources(), beam=4)] == [[]] * 5
    assert len(calls) == 1
    assert greedy(model, sources()) == [[]] * 5
    assert len(calls) == 2


@pytest.mark.parametrize("wrong", [{"n_best": 5}, {"beam": 0}, {"length_penalty": -1.0}])
def test_invalid_options(wrong):
    with pytest.raises(ValueError, match="expected"):
        search(make(NAMES[0]), sources(), **wrong)
