"""Distillation: its loss against the definition, for classes and tokens; what is refused."""

import pytest
import torch
from torch import nn

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.tasks.distill import Known, distill
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
NAMES = ["cat", "dog", "cow"]
CLASSES = {"num_classes": 3, "class_names": NAMES, "class_counts": [2, 4, 3]}
TOKENIZER = train_tokenizer("char", ["abc"], specials=["<|endoftext|>"])
TEXT = {"token_bytes": TOKENIZER.token_bytes(), "tokenizer": TOKENIZER, "eot_id": 0}


def linear(seed, features=5, classes=3):
    torch.manual_seed(seed)
    return nn.Linear(features, classes)


def samples(number=8):
    torch.manual_seed(5)
    return {"input": torch.randn(number, 5), "target": torch.arange(number) % 3}


def gpt(seed, context=8, vocab=4):
    torch.manual_seed(seed)
    model = GPT(vocab, context, width=8, depth=1, heads=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def by_the_paper(student, teacher, target, temperature, labels):
    """The loss of logits (M, K), row by row, in double precision."""
    total = 0.0
    for s, t, k in zip(student.double(), teacher.double(), target.tolist(), strict=True):
        p, q = ((x / temperature).exp() / (x / temperature).exp().sum() for x in (t, s))
        kl = (p * (p / q).log()).sum()
        hard = -(s.exp() / s.exp().sum())[k].log()
        total += float(labels * hard + (1 - labels) * temperature**2 * kl)
    return total


@pytest.mark.parametrize(("temperature", "labels"), [(1.0, 0.0), (4.0, 0.3)])
def test_the_loss_of_classes(temperature, labels):
    student, teacher, batch = linear(0), linear(1), samples()
    task = distill(teacher, **CLASSES, temperature=temperature, labels=labels)
    output = task.step(student.train(), batch)
    logits, theirs = (m(batch["input"]).detach() for m in (student, teacher))
    expected = by_the_paper(logits, theirs, batch["target"], temperature, labels)
    assert float(output.loss_sum.detach()) == pytest.approx(expected, rel=1e-5)
    plain = by_the_paper(logits, theirs, batch["target"], 1.0, 1.0)
    assert float(output.sums["loss"]) == pytest.approx(plain, rel=1e-5)  # reported, as validation's
    output.loss_sum.backward()
    assert student.weight.grad is not None and teacher.weight.grad is None


def test_gradients_where_the_labels_loss_overwrites_the_logits():
    """It does, of large vocabularies; the teacher's part is of what the student said."""
    size, length = 2_100, 128
    student, teacher = gpt(0, length, size).train(), gpt(1, length, size).eval()
    tokens = torch.randint(0, size, (1, length + 1))
    x, target = tokens[:, :-1], tokens[0, 1:]
    facts = TEXT | {"token_bytes": [1] * size}
    distill(teacher, **facts, temperature=1.0, labels=0.5).step(
        student, {"input": tokens}
    ).loss_sum.backward()
    found = [parameter.grad.clone() for parameter in student.parameters()]
    student.zero_grad()
    said = student(x)[0].log_softmax(1)
    with torch.no_grad():
        wanted = teacher(x)[0].log_softmax(1)
    (
        0.5 * (wanted.exp() * (wanted - said)).sum() - 0.5 * said[range(length), target].sum()
    ).backward()
    for gradient, parameter in zip(found, student.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-4)


def test_the_loss_of_tokens_is_that_of_those_that_are_scored():
    student, teacher = gpt(0).train(), gpt(1).eval()
    tokens = torch.randint(0, 4, (3, 7))
    scored = torch.rand(3, 6) < 0.6
    task = distill(teacher, **TEXT, temperature=2.0, labels=0.25)
    for batch in ({"input": tokens}, {"input": tokens, "scored": scored}):
        counted = batch.get("scored", torch.ones(3, 6, dtype=torch.bool)).flatten()
        output = task.step(student, batch)
        logits, theirs = (m(tokens[:, :-1]).detach().flatten(0, 1) for m in (student, teacher))
        rows = (logits[counted], theirs[counted], tokens[:, 1:].flatten()[counted])
        assert float(output.loss_sum.detach()) == pytest.approx(
            by_the_paper(*rows, 2.0, 0.25), 1e-5
        )
        assert output.count == counted.sum()


def test_documents_of_a_packed_row_do_not_see_each_other():
    """Neither by the student nor by the teacher: the loss is that of each in a row of its own."""
    student, teacher = gpt(0).train(), gpt(1).eval()
    task = distill(teacher, **TEXT, temperature=2.0, labels=0.25)
    first, second = torch.tensor([[1, 2, 3, 1]]), torch.tensor([[2, 3, 2]])
    scored = torch.tensor([[True, True, True, False, True, True]])  # not the border
    documents = torch.tensor([[0, 0, 0, 0, 1, 1, 1]])
    packed = {"input": torch.cat([first, second], 1), "scored": scored, "documents": documents}
    alone = [task.step(student, {"input": tokens}) for tokens in (first, second)]
    output = task.step(student, packed)
    expected = float(sum(one.loss_sum.detach() for one in alone))
    assert float(output.loss_sum.detach()) == pytest.approx(expected, rel=1e-5)
    assert output.count == 5
    deaf = distill(Known(torch.zeros(1, 6, 4), False), **TEXT)
    with pytest.raises(UserError, match="data.pack=true: Known would read the conversations"):
        deaf.step(student, packed)


def means_of(task, model, batch):
    return evaluate(model, task, [batch], Precision("fp32", RUNTIME.device), RUNTIME)


def test_an_evaluation_compares_both_networks():
    student, teacher, batch = linear(0), linear(1), samples()
    task = distill(teacher, **CLASSES)
    means = means_of(task, student.eval(), batch)
    metrics = task.summarize(means)
    ours, theirs = (m(batch["input"]).argmax(1) for m in (student, teacher))
    assert metrics["agreement"] == pytest.approx(float((ours == theirs).float().mean()))
    right = float((theirs == batch["target"]).float().mean())
    assert metrics["teacher_accuracy"] == pytest.approx(right)
    baseline = task.baseline(means)
    assert set(baseline.metrics) == set(metrics)
    assert baseline.metrics["agreement"] == pytest.approx(float((theirs == 1).float().mean()))


def test_a_language_model_is_compared_too_and_writes():
    task, student = distill(gpt(1).eval(), **TEXT), gpt(0).eval()
    batch = {"input": torch.randint(0, 4, (3, 7))}
    task.learn_baseline(task.baseline_counts(batch))
    means = means_of(task, student, batch)
    assert set(task.baseline(means).metrics) == set(task.summarize(means))
    rows = list(task.respond(student, "ab", max_tokens=3))
    assert "".join(row["text"] for row in rows).strip("abc") == ""


def test_the_teacher_reads_inputs_as_it_was_trained_to():
    images = torch.randn(4, 1, 2, 2)
    batch = {"input": images, "target": torch.arange(4) % 3}
    teacher = nn.Sequential(nn.Flatten(), linear(1, 4))
    facts = {"pixel_mean": [0.5], "pixel_std": [0.1]}
    task = distill(teacher, facts, **CLASSES, pixel_mean=[0.3], pixel_std=[0.2], labels=0.0)
    student = nn.Sequential(nn.Flatten(), linear(0, 4)).train()
    pixels = images * 0.2 + 0.3
    theirs = teacher((pixels - 0.5) / 0.1).detach()
    expected = by_the_paper(student(images).detach(), theirs, batch["target"], 2.0, 0.0)
    assert float(task.step(student, batch).loss_sum.detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({**CLASSES, "temperature": 0.0}, "task.temperature=0.0: expected a number above 0"),
        ({**CLASSES, "labels": 1.0}, "task.labels=1.0: expected 0 to below 1"),
        ({}, "needs samples of one class each, or running text"),
        (
            {**CLASSES, "teacher_facts": {"class_names": ["cat", "dog"]}},
            r"knows 2 \(cat, dog\) classes, the data has 3 \(cat, dog, cow\)",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(facts, message):
    with pytest.raises(UserError, match=message):
        distill(linear(1), **facts)


def test_conversations_keep_their_form():
    chat = object()
    assert distill(gpt(1), **TEXT, chat=chat).chat is chat


def test_a_teacher_that_says_something_else_is_refused():
    task = distill(linear(1, classes=4), **CLASSES)
    with pytest.raises(UserError, match=r"shape \(4,\) a sample, the student's \(3,\)"):
        task.step(linear(0).train(), samples())
