"""word2vec against plain products of its tables."""

import pytest
import torch

from zoo.models.word2vec import Word2Vec

WORDS, WIDTH = 20, 6


def model(double=True):
    torch.manual_seed(0)
    net = Word2Vec(WORDS, WIDTH)
    torch.nn.init.normal_(net.contexts.weight)
    return net.double() if double else net


def ids(*shape, seed=1):
    return torch.randint(WORDS, shape, generator=torch.Generator().manual_seed(seed))


def test_alone_it_gives_the_vectors_of_words():
    net, words = model(), ids(3, 4)
    assert torch.equal(net(words), net.words.weight[words])
    assert torch.equal(net(words[0]), net.words.weight[words[0]])


def test_scores_are_products_of_words_and_contexts():
    net, words, contexts = model(), ids(3, 4), ids(3, 7, seed=2)
    scores = net(words, contexts)
    assert scores.shape == (3, 4, 7)
    for g, n, m in ((0, 0, 0), (2, 3, 6), (1, 2, 5)):
        expected = net.words.weight[words[g, n]] @ net.contexts.weight[contexts[g, m]]
        torch.testing.assert_close(scores[g, n, m], expected)


def test_mixtures_are_scored_in_place_of_words():
    net, words, contexts = model(), ids(3, 4), ids(3, 7, seed=2)
    mix = torch.rand(3, 2, 4, dtype=torch.float64)
    means = torch.einsum("gcn,gnd->gcd", mix, net.words.weight[words])
    expected = torch.einsum("gcd,gmd->gcm", means, net.contexts.weight[contexts])
    torch.testing.assert_close(net(words, contexts, mix), expected)


@pytest.mark.parametrize("mix", [None, torch.rand(3, 4, 4)], ids=["alone", "mixed"])
def test_in_low_precision_gradients_keep_the_type_of_the_tables(mix):
    net = model(double=False)
    with torch.autocast("cpu", torch.bfloat16):
        scores = net(ids(3, 4), ids(3, 7, seed=2), mix)
    assert scores.dtype == torch.bfloat16
    scores.float().square().sum().backward()
    assert {p.grad.dtype for p in net.parameters()} == {torch.float32}
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_starts_undecided():
    torch.manual_seed(0)
    net = Word2Vec(WORDS, WIDTH)
    assert not net(ids(1, 9), ids(1, 9)).any()
    assert 0 < float(net.words.weight.detach().abs().max()) <= 0.5 / WIDTH
