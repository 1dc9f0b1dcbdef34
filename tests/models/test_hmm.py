"""The HMM beside all of its paths written out, beside counts, and its padding."""

from itertools import product

import pytest
import torch

from zoo.models.hmm import HMM

VOCABULARY, TAGS, PAD = 7, 3, 0


def model_of(seed=0):
    torch.manual_seed(seed)
    model = HMM(VOCABULARY, TAGS, PAD).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def sentences():
    """Words and tags of sentences of 5, 3 and 1 words; -1 at two words whose tag is not known."""
    tokens = torch.tensor([[3, 1, 6, 2, 2], [4, 5, 1, PAD, PAD], [6, PAD, PAD, PAD, PAD]])
    tags = torch.tensor([[0, 2, -1, 1, 1], [2, 2, 0, -100, -100], [-1, -100, -100, -100, -100]])
    return tokens, tags


def paths(model, tokens):
    """Every sequence of tags of a sentence without padding, and log p(words, tags)."""
    initial, transition = model.initial.log_softmax(0), model.transition.log_softmax(1)
    emission = model.emission.log_softmax(1)
    for path in product(range(TAGS), repeat=len(tokens)):
        score = initial[path[0]] + sum(emission[z, w] for z, w in zip(path, tokens))
        yield path, score + sum(transition[a, b] for a, b in zip(path, path[1:]))


def without_padding(tokens):
    return [[word for word in row if word != PAD] for row in tokens.tolist()]


@torch.no_grad()
@pytest.mark.parametrize("known", ["some", "all", "none"])
def test_the_loss_sums_over_all_paths_that_agree_with_the_known_tags(known):
    model, (tokens, tags) = model_of(), sentences()
    tags = {"some": tags, "all": tags.clamp(min=0), "none": torch.full_like(tags, -1)}[known]
    expected = 0.0
    for words, row in zip(without_padding(tokens), tags.tolist()):
        agreeing = [
            score
            for path, score in paths(model, words)
            if all(tag < 0 or tag == z for tag, z in zip(row, path))
        ]
        expected -= torch.stack(agreeing).logsumexp(0)
    torch.testing.assert_close(model(tokens, tags), expected)


@torch.no_grad()
def test_posteriors_and_best_tags_are_those_of_all_paths():
    model, (tokens, _) = model_of(), sentences()
    posterior, best = model(tokens), model.best_tags(tokens)
    for row, words in enumerate(without_padding(tokens)):
        scored = list(paths(model, words))
        total = torch.stack([score for _, score in scored]).logsumexp(0)
        for t, tag in product(range(len(words)), range(TAGS)):
            share = torch.stack([s for path, s in scored if path[t] == tag]).logsumexp(0) - total
            torch.testing.assert_close(posterior[row, t, tag], share)
        likeliest = max(scored, key=lambda pair: pair[1])[0]
        assert tuple(best[row, : len(words)].tolist()) == likeliest


def test_padding_and_the_rest_of_the_batch_change_nothing():
    model, (tokens, tags) = model_of(), sentences()
    alone = [
        model(tokens[k : k + 1, :length], tags[k : k + 1, :length])
        for k, length in enumerate((5, 3, 1))
    ]
    torch.testing.assert_close(model(tokens, tags), sum(alone))
    model(tokens, tags).backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    sum(alone).backward()
    for whole, parameter in zip(gradients, model.parameters()):
        assert whole.isfinite().all()  # tags that are excluded have probability 0
        torch.testing.assert_close(whole, parameter.grad)


def test_where_all_tags_are_known_the_best_parameters_are_the_counts():
    tokens, tags = sentences()
    tags = tags.clamp(min=0)
    model = model_of()
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=300, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        value = model(tokens, tags)
        value.backward()
        return value

    optimizer.step(loss)
    initial, transition = torch.zeros(TAGS), torch.zeros(TAGS, TAGS)
    emission = torch.zeros(TAGS, VOCABULARY)
    for words, row in zip(without_padding(tokens), tags.tolist()):
        initial[row[0]] += 1
        for t, word in enumerate(words):
            emission[row[t], word] += 1
            if t:
                transition[row[t - 1], row[t]] += 1
    for learnt, counts in (
        (model.initial.softmax(0), initial),
        (model.transition.softmax(1), transition),
        (model.emission.softmax(1), emission),
    ):
        counts = counts.double()
        torch.testing.assert_close(
            learnt.detach(), counts / counts.sum(-1, keepdim=True), atol=1e-3, rtol=0
        )
