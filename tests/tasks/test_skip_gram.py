"""word2vec's tasks against sums over pairs of words; their vectors separate topics."""

import math

import pytest
import torch
import torch.nn.functional as F
from word_vectors import EOT, WORDS, counts, model, task, text, tokenizer

from zoo.errors import UserError
from zoo.kernels import banded_logistic_loss
from zoo.models.word2vec import Word2Vec
from zoo.registry import OPTIMIZERS, TASKS
from zoo.tasks.word_windows import BLOCK
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

HERE = Runtime(torch.device("cpu"))
both_tasks = pytest.mark.parametrize("name", ["skip_gram", "cbow"])


@both_tasks
def test_only_text_as_words_has_word_vectors(name):
    with pytest.raises(UserError, match="its tokenizer: word.; take data=text, pydoc"):
        TASKS.build({"name": name}, tokenizer=tokenizer())


# ------------------------------------------------------------------------------- loss


def by_pairs(pairs, net, shared, negatives):
    """The loss of a question, true pair by true pair and noise word by noise word, in float64."""
    loss, predictions = 0.0, 0
    known, contexts = net.words.weight.double(), net.contexts.weight.double()
    for g in range(len(pairs.words)):
        noise = pairs.candidates[g, -shared:].tolist()
        for c in range(BLOCK):
            vector = (
                known[pairs.words[g, c]]
                if pairs.context_weights is None
                else sum(
                    w * known[i]
                    for w, i in zip(pairs.context_weights[g, c].double(), pairs.words[g])
                )
            )
            for j in pairs.positives[g, c].nonzero().flatten().tolist():
                predictions += 1
                loss -= F.logsigmoid(vector @ contexts[pairs.candidates[g, c + j]])
                for word in noise:
                    loss -= negatives / shared * F.logsigmoid(-(vector @ contexts[word]))
    return loss, predictions


@both_tasks
def test_the_loss_is_the_sum_over_true_pairs_and_noise(name):
    made, net = task(name, negatives=3, shared=4, window=2, sample=0.0), model()
    batch = {"input": text(3, 41)}
    torch.manual_seed(7)
    output = made.step(net, batch)
    torch.manual_seed(7)
    pairs = made.build_pairs(batch["input"][:, :-1])
    loss, predictions = by_pairs(pairs, net, shared=4, negatives=3)
    assert int(output.count) == predictions > 100
    torch.testing.assert_close(output.loss_sum, loss, rtol=1e-6, atol=0)
    output.loss_sum.backward()
    gradients = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    loss.backward()
    for got, p in zip(gradients, net.parameters()):
        torch.testing.assert_close(got, p.grad, rtol=1e-5, atol=1e-8)


def test_cbow_mixes_the_neighbours_that_skip_gram_pairs():
    rows = text(2, 80)
    torch.manual_seed(1)
    mixed = task("cbow", sample=0.0).build_pairs(rows)
    torch.manual_seed(1)
    paired = task("skip_gram", sample=0.0).build_pairs(rows)
    neighbours, paths = paired.positives.sum(2), paired.positives.nonzero().tolist()
    assert [[g, c, p - c] for g, c, p in mixed.context_weights.nonzero().tolist()] == paths
    sums = mixed.context_weights.sum(2)
    torch.testing.assert_close(sums, (neighbours > 0).float())
    assert torch.equal(mixed.positives[..., 0], sums.round())
    assert int(mixed.total) == int((neighbours > 0).sum())
    assert torch.equal(mixed.words, paired.candidates[:, :-6])
    assert torch.equal(mixed.candidates[:, :BLOCK], paired.words)


def test_shared_noise_is_right_on_average():
    """Mean over draws: that of `negatives` draws of the noise distribution for each true pair."""
    net = model()
    made = task(window=1, negatives=5, shared=16, sample=0.0)
    rows = 2 + torch.arange(1, 65)[None] % 30
    weights = torch.tensor([0, 0, *counts()[2:]], dtype=torch.float64) ** 0.75
    products = net.words.weight @ net.contexts.weight.T
    each = 5 * F.softplus(products) @ (weights / weights.sum())  # (V,)
    words = rows[0, :-1].tolist()
    pairs = [(a, b) for a, b in zip(words, words[1:])] + [(b, a) for a, b in zip(words, words[1:])]
    expected = sum(F.softplus(-products[a, b]) + each[a] for a, b in pairs) / len(pairs)
    torch.manual_seed(0)
    drawn = []
    for _ in range(400):
        output = made.step(net, {"input": rows})
        assert int(output.count) == len(pairs)
        drawn.append(float(output.loss_sum.detach()) / len(pairs))
    error = torch.tensor(drawn).std() / math.sqrt(len(drawn))
    assert abs(sum(drawn) / len(drawn) - float(expected.detach())) < 4 * float(error) < 0.05


@pytest.mark.parametrize("width", [1, 3, 5])
def test_the_loss_is_that_of_its_definition_pair_by_pair(width):
    words, size = 4, 2
    candidates = words + width - 1
    scores = torch.randn(2, words, candidates + size, dtype=torch.float64, requires_grad=True)
    true, noise = (torch.rand(2, words, n, dtype=torch.float64) for n in (width, 1))
    true[0, 0] = noise[0, 0] = 0
    plain = -(noise * F.logsigmoid(-scores[..., candidates:])).sum()
    for c in range(words):
        plain -= (true[:, c] * F.logsigmoid(scores[:, c, c : c + width])).sum()
    torch.testing.assert_close(banded_logistic_loss(scores, true, noise), plain)


def test_large_scores_have_a_finite_loss():
    scores = torch.tensor([[[60.0, -60.0, 60.0, -60.0]]], requires_grad=True)
    loss = banded_logistic_loss(scores, torch.ones(1, 1, 2), torch.ones(1, 1, 1))
    assert float(loss.detach()) == pytest.approx(120)
    loss.backward()
    torch.testing.assert_close(scores.grad, torch.tensor([[[0.0, -1.0, 1.0, 0.0]]]))


def test_scores_in_bf16_have_their_gradient_in_bf16():
    scores = torch.randn(2, 4, 8).bfloat16().requires_grad_()
    weights = torch.rand(2, 4, 3), torch.rand(2, 4, 1)
    loss = banded_logistic_loss(scores, *weights)
    assert loss.dtype == torch.float32
    (got,) = torch.autograd.grad(loss, scores)
    wide = scores.detach().float().requires_grad_()
    (expected,) = torch.autograd.grad(banded_logistic_loss(wide, *weights), wide)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, expected.bfloat16())


@both_tasks
def test_a_text_of_unknown_words_alone_teaches_nothing(name):
    net = model()
    batch = {"input": torch.zeros(2, 33, dtype=torch.int64)}
    output = task(name).step(net, batch)
    assert float(output.loss_sum.detach()) == 0 == int(output.count) == int(task(name).count(batch))
    assert int(task(name).count({"input": text(2, 33)})) > 0
    output.loss_sum.backward()
    assert not any(p.grad.any() for p in net.parameters())


# ------------------------------------------------------------------------- evaluation


def evaluated(made, net, batches):
    return evaluate(net, made, batches, Precision("fp32", HERE.device), HERE)


@both_tasks
def test_evaluation_repeats_exactly_and_leaves_the_random_numbers_alone(name):
    made, net = task(name), model()
    batches = [{"input": text(3, 65)}, {"input": text(2, 65, seed=6)}]
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first, second = (made.summarize(evaluated(made, net, batches)) for _ in range(2))
    assert first == second and set(first) == {"loss", "accuracy"}
    assert torch.equal(torch.rand(3), expected)


def test_accuracy_is_how_often_a_true_word_scores_above_noise():
    made, net = task(shared=8, sample=0.0), model().eval()
    torch.manual_seed(2)
    output = made.step(net, {"input": text(2, 65)})
    torch.manual_seed(2)
    pairs = made.build_pairs(text(2, 65)[:, :-1])
    above, total = 0, 0
    for g in range(len(pairs.words)):
        scores = net.words.weight[pairs.words[g]] @ net.contexts.weight[pairs.candidates[g]].T
        for c, j in pairs.positives[g].nonzero().tolist():
            true = scores[c, c + j]
            above += float((scores[c, -8:] < true).sum() + (scores[c, -8:] == true).sum() / 2)
            total += 8
    assert float(output.sums["accuracy"] / output.count) == pytest.approx(above / total)


def test_words_that_score_the_same_are_right_half_the_time():
    made, net = task(sample=0.0), Word2Vec(len(counts()), 8).eval()  # all scores are 0 at first
    output = made.step(net, {"input": text(2, 65)})
    assert float(output.sums["accuracy"] / output.count) == pytest.approx(0.5)


# ------------------------------------------------------------------------------ words


def topics():
    """Texts of four topics of eight words, and unknown words here and there."""
    generator = torch.Generator().manual_seed(0)
    topic = torch.arange(64) % 4
    words = torch.randint(8, (64, 65), generator=generator) + 2 + 8 * topic[:, None]
    return words.masked_fill(torch.rand(64, 65, generator=generator) < 0.1, 0)


@both_tasks
def test_words_of_one_topic_come_to_lie_together(name):
    torch.manual_seed(0)
    net, batch = Word2Vec(WORDS, 8), {"input": topics()}
    actual = torch.bincount(batch["input"].flatten(), minlength=WORDS).tolist()
    facts = dict(token_counts=actual, tokenizer=tokenizer(), eot_id=EOT)
    made = TASKS.build({"name": name, "sample": 0.0}, **facts)
    optimizer = OPTIMIZERS.build({"name": "row_adagrad", "lr": 0.3}, model=net)
    for _ in range(30):
        output = made.step(net, batch)
        (output.loss_sum / output.count).backward()
        optimizer.step()
        net.zero_grad(set_to_none=True)
    names = [made.neighbours.tokenizer.token(i) for i in range(34)]
    for k in (2, 12, 33):
        rows = list(made.respond(net, names[k], top=7))
        first = 2 + 8 * ((k - 2) // 8)
        assert {row["word"] for row in rows} == set(names[first : first + 8]) - {names[k]}
        assert [row["cosine"] for row in rows] == sorted((r["cosine"] for r in rows), reverse=True)
    (said,) = made.predict(net, {"input": batch["input"][:1, :4]})
    assert said["nearest"][0] in names[2:10]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (dict(window=0), "task.window: got 0"),
        (dict(negatives=0), "task.negatives: got 0"),
        (dict(shared=0), "task.shared: got 0"),
        (dict(sample=-1.0), "task.sample: got -1"),
    ],
)
def test_options_out_of_range_are_refused(option, said):
    with pytest.raises(UserError, match=said):
        task(**option)
