"""Next-token prediction: metrics against a direct computation, samples, prompts refused."""

import contextlib
import math

import pytest
import torch
from previews import Previews

from zoo.data.tokenizers.registry import EOT, train_tokenizer
from zoo.errors import UserError
from zoo.kernels import linear_cross_entropy, reference_kernels
from zoo.kernels.cpu import cross_entropy
from zoo.models.gpt import GPT
from zoo.models.llama import Llama
from zoo.models.rnn import RNN
from zoo.tasks.causal_lm import CausalLM

TEXT = "die Maße: a µm\nund 2 µs\n" * 3


def make(kind="char", context=16, specials=()):
    torch.manual_seed(0)
    tokenizer = train_tokenizer(kind, [TEXT], vocab_size=280, specials=specials)
    eot = tokenizer.specials.get(EOT)
    task = CausalLM(tokenizer.token_bytes(), tokenizer, eot)
    model = GPT(tokenizer.vocab_size, context, width=16, depth=2, heads=2).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return task, model, tokenizer


def summarized(task, output):
    sums = output.sums | {"loss": output.loss_sum.detach()}
    return task.summarize({name: value / output.count for name, value in sums.items()})


def written(rows):
    rows = list(rows)
    assert all(set(row) <= {"text", "sample"} for row in rows)
    return "".join(row["text"] for row in rows)


# ---------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_metrics_equal_a_direct_computation(kind):
    task, model, tokenizer = make(kind, specials=[EOT])
    ids = [*tokenizer.encode(TEXT).tolist(), tokenizer.specials[EOT]]
    windows = torch.tensor([ids[0:9], ids[8:17], ids[-9:]])  # the last ends in the special token
    nats, size, right, count = 0.0, 0, 0, 0
    for window in windows.tolist():
        for t in range(1, 9):
            logits = model.double()(torch.tensor([window[:t]]))[0, -1]
            nats -= float(logits.log_softmax(0)[window[t]].detach())
            right += int(logits.argmax()) == window[t]
            size += tokenizer.token_bytes()[window[t]]
            count += 1
    output = task.step(model, {"input": windows})
    assert int(output.count) == count == 24
    figures = summarized(task, output)
    assert figures["loss"] == pytest.approx(nats / count)
    assert figures["perplexity"] == pytest.approx(math.exp(nats / count))
    assert figures["bits_per_byte"] == pytest.approx(nats / math.log(2) / size)
    assert figures["accuracy"] == pytest.approx(right / count)


def test_bits_per_byte_of_a_uniform_guess_is_that_of_any_tokenizer():
    """log2 V a token, over its bytes: a byte tokenizer with uniform predictions needs 8 bits."""
    task, model, tokenizer = make("byte")
    for parameter in model.parameters():
        parameter.data.zero_()
    output = task.step(model, {"input": torch.tensor(tokenizer.encode(TEXT[:12]))[None].long()})
    assert summarized(task, output)["bits_per_byte"] == pytest.approx(8.0)


def test_sums_over_unequal_batches_are_those_of_one():
    task, model, tokenizer = make()
    ids = torch.tensor(tokenizer.encode(TEXT)).long()
    windows = ids[: 5 * 9].view(5, 9)
    whole = task.step(model.double(), {"input": windows})
    parts = [task.step(model, {"input": part}) for part in windows.split([1, 4])]
    for name in ("loss_sum", "count"):
        total = sum(getattr(part, name) for part in parts)
        torch.testing.assert_close(total, getattr(whole, name))
    for name, value in whole.sums.items():
        assert sum(part.sums[name] for part in parts) == value


def test_training_leaves_the_accuracy_away():
    task, model, _ = make()
    assert set(task.step(model.train(), {"input": torch.ones(1, 5).long()}).sums) == {"bytes"}


def test_huge_losses_stay_finite():
    task, _, _ = make()
    means = {"loss": torch.tensor(1e4), "bytes": torch.tensor(0.0)}
    figures = task.summarize(means)
    assert math.isfinite(figures["perplexity"]) and "bits_per_byte" not in figures


def test_the_least_busy_expert_by_hand():
    """The share of the batch's choices that the least chosen expert of any mixture has, times the
    number of experts; what is behind the last scored token is padding."""
    task, _, tokenizer = make()
    mixture = dict(experts=4, active=2, inner=8, balance="none")
    model = Llama(tokenizer.vocab_size, 16, width=16, depth=2, heads=2, mixture=mixture).eval()
    ids = torch.tensor(tokenizer.encode(TEXT)).long()[:18].view(2, 9)
    scored = torch.ones(2, 8, dtype=torch.bool)
    scored[1, 3:] = False
    chosen, shares = [[], []], []
    for layer, block in enumerate(model.blocks):
        keep = lambda *call, layer=layer: chosen[layer].append(call[2].topk(2).indices)  # noqa: E731
        block.feed_forward.router.register_forward_hook(keep)
    batch = {"input": ids, "scored": scored}
    figures = summarized(task, output := task.step(model, batch))
    for ((row, other),) in chosen:
        counts = torch.cat([row, other[:3]]).flatten().tolist()
        shares.append([4 * counts.count(e) / 22 for e in range(4)])
    assert 0 < figures["least_expert"] == pytest.approx(min(map(min, shares)))
    assert "least_expert" not in summarized(task, task.step(model.train(), batch))
    previews = Previews()
    means = {"expert_load": output.sums["expert_load"] / output.count}
    task.preview(model.eval(), batch, means, previews)
    drawn = previews.figures["experts"].axes[0].images[0].get_array()
    assert drawn.tolist() == [pytest.approx(row) for row in shares]


# ---------------------------------------------------------------------------------- samples


def test_the_preview_shows_a_sample_and_the_heads():
    task, model, tokenizer = make()
    previews, window = Previews(), tokenizer.encode(TEXT)[:17]
    task.preview(model, {"input": torch.tensor(window)[None].long()}, {}, previews)
    first, second = previews.texts["sample"].split("\n\nmodel:\n\n")
    assert first == "text:\n\n    die Maße"  # half of 16 tokens
    assert len(second.replace("\n    ", "\n").strip("\n")) > 200
    assert all(line.startswith("    ") for line in second.splitlines())
    labels = [text.get_text() for text in previews.full["attention"].axes[0].texts]
    assert labels.count("ß") == 2 * (1 + 1) and {"head 2", "layer 2", "·"} <= set(labels)
    image = previews.full["attention"].axes[0].images[0].get_array()
    assert image.shape == (2 * 16 + 1, 2 * 16 + 1)
    once = dict(previews.texts)
    task.preview(model, {"input": torch.tensor(window)[None].long()}, {}, previews)
    assert previews.texts == once  # the sample is the model's, not chance's


def test_a_model_without_attention_shows_a_sample_alone():
    task, _, tokenizer = make()
    previews, model = Previews(), RNN(tokenizer.vocab_size, width=8).eval()
    task.preview(model, {"input": torch.ones(1, 7).long()}, {}, previews)
    assert list(previews.texts) == ["sample"] and not previews.figures


def test_a_text_is_continued_piece_by_piece():
    task, model, _ = make()
    rows = list(task.respond(model, "die ", max_tokens=12, seed=1))
    assert len(rows) > 5
    whole = written(rows)
    assert len(whole) == 12
    assert written(task.respond(model, "die ", max_tokens=12, seed=1)) == whole
    assert written(task.respond(model, "die ", max_tokens=12, seed=2)) != whole
    greedy = {written(task.respond(model, "die ", 12, temperature=0, seed=s)) for s in range(3)}
    assert len(greedy) == 1
    likeliest = written(task.respond(model, "die ", max_tokens=12, top_k=1))
    assert greedy == {likeliest} == {written(task.respond(model, "die ", 12, top_p=1e-6))}


def test_stop_strings_and_samples():
    task, model, _ = make()
    whole = written(task.respond(model, "die ", max_tokens=40))
    cut = whole[10:12]
    short = written(task.respond(model, "die ", max_tokens=40, stop=cut))
    assert short == whole[: whole.index(cut)]
    assert written(task.respond(model, "die ", max_tokens=40, stop=["qqq", cut])) == short
    rows = list(task.respond(model, "die ", max_tokens=9, seed=4, samples=3))
    assert [row["sample"] for row in rows] == sorted(row["sample"] for row in rows)
    for k in range(3):
        one = written(row for row in rows if row["sample"] == k + 1)
        assert one == written(task.respond(model, "die ", max_tokens=9, seed=4 + k))


def test_a_document_ends_where_the_model_says_so():
    task, model, _ = make(specials=[EOT])
    model.head.weight = torch.nn.Parameter(torch.zeros_like(model.head.weight))
    model.norm.weight.data.zero_()
    model.norm.bias.data.fill_(1.0)
    model.head.weight.data[task.eot_id] = 1.0
    assert list(task.respond(model, "die ")) == [{"text": ""}]


def test_a_text_ends_by_each_of_the_ids_that_published_settings_name():
    task, model, tokenizer = make(specials=[EOT])
    whole = written(task.respond(model, "die ", max_tokens=12, seed=1))
    (end,) = tokenizer.encode(whole[5])
    tokenizer.ends = [int(end)]
    assert written(task.respond(model, "die ", 12, seed=1)) == whole[: whole.index(whole[5])]


def test_an_empty_prompt_begins_a_text():
    for specials in ([EOT], []):
        task, model, tokenizer = make(specials=specials)
        read = []
        model.register_forward_pre_hook(lambda _, inputs, read=read: read.append(inputs[0]))
        assert len(written(task.respond(model, "", max_tokens=5))) <= 5
        begin = tokenizer.specials[EOT] if specials else int(tokenizer.encode("\n")[0])
        assert read[0].tolist() == [[begin]]
    tokenizer = train_tokenizer("char", ["abc"])  # not even a newline
    task = CausalLM(tokenizer.token_bytes(), tokenizer)
    assert len(written(task.respond(GPT(3, 8, 8, 1, 2).eval(), "", max_tokens=5))) == 5


def test_prompts_and_options_that_are_refused():
    task, model, _ = make()
    cases = [
        ({"input": "die Ω"}, "input: the prompt has characters that the vocabulary"),
        ({"input": "die " * 5}, "the prompt has 20 tokens, and the model's context is 16"),
        ({"temperature": -1.0}, "temperature=-1.0: expected 0"),
        ({"temperature": 1e-310}, "temperature=1e-310: expected 0 (the likeliest), or 1e-30 or"),
        ({"top_k": 0}, "top_k=0: expected 1 or more"),
        ({"top_p": 0.0}, "top_p=0.0: expected above 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0: expected"),
        ({"seed": -1}, "seed=-1: expected 0 or more"),
        ({"max_tokens": 0}, "max_tokens=0: expected 1 or more"),
        ({"samples": 0}, "samples=0: expected 1 or more"),
    ]
    for options, words in cases:
        with pytest.raises(UserError) as refused:
            list(task.respond(model, **({"input": "die "} | options)))
        assert words in str(refused.value) and "\n" not in str(refused.value)
    assert written(task.respond(model, "die " * 4, max_tokens=3))  # as long as the context
    endless = RNN(model.head.out_features, width=8).eval()
    assert written(task.respond(endless, "die " * 40, max_tokens=3))


@pytest.mark.parametrize("wrapped", [False, True])
def test_trains_the_same_without_all_logits(wrapped, monkeypatch):
    """A GPT's loss is taken from its head piece by piece, a wrapper of ranks around it or not."""
    for name, value in {"MIN_HEAD_NUMEL": 1, "HEAD_CHUNK_ROWS": 16, "HEAD_CHUNK_NUMEL": 1}.items():
        monkeypatch.setattr(cross_entropy, name, value)
    task, model, tokenizer = make()
    model.train()
    ids = torch.tensor(tokenizer.encode(TEXT).tolist())
    batch = {"input": ids[:51].view(3, 17), "scored": torch.rand(3, 16) > 0.3}
    outer = torch.nn.Module()
    outer.module, outer.forward = model, model.forward
    gradients = []
    for choice in (contextlib.nullcontext(), reference_kernels()):
        monkeypatch.setattr(linear_cross_entropy, "used", set())
        with choice:
            loss = task.step(outer if wrapped else model, batch).loss_sum
        gradients.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
        gradients[-1].append(linear_cross_entropy.used)
    assert [losses.pop() for losses in gradients] == [
        {"linear_cross_entropy_by_rows"},
        {"reference"},
    ]
    for actual, expected in zip(*gradients):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
