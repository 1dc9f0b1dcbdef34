"""No step of any model waits for a GPU or mixes devices: tried without one (gpu_stand_in.py).

Not tried: beam search, once at the end of a run, which keeps its hypotheses on the CPU.
"""

import json
import random
import re

import pytest
import torch
from gpu_stand_in import DEVICE, UNREPEATABLE, DoesNotRepeat, Mixes, Waits, watched
from previews import Previews
from test_every_model import OTHERS, make
from torch import nn
from torch.utils._pytree import tree_map

import zoo.tasks.causal_lm as tasks_causal_lm
from zoo.data.build import build_dataset
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.optim.rates import build_optimizer
from zoo.registry import DATASETS, MODELS, OPTIMIZERS, TASKS
from zoo.tasks.reinforce import Reinforce
from zoo.training.ema import EMA
from zoo.training.evaluate import evaluate
from zoo.training.loader import Loader
from zoo.training.precision import Precision, clip_gradients
from zoo.training.runtime import Runtime, deterministic
from zoo.training.step import RunningMetrics, accumulate_gradients, prepare_task

ALLOWED = {
    "zoo/training/evaluate.py: evaluate": "an evaluation is read once, at its end",
    "zoo/models/rnn_attention.py: encode": "cuDNN takes the lengths of packed sequences from the "
    "CPU; the decoder's loop over tokens leaves the GPU idle anyway",
    "zoo/inference/search.py: greedy_search": "text is generated token by token, until all end",
    "zoo/tasks/seq2seq.py: _text_sums": "generated text is compared as text",
    "zoo/tasks/seq2seq.py: _copy_sums": "so is the source, the trivial answer",
}
ANSWERS = {  # of task=reinforce, whose steps are led by a text that is read as it is written
    "zoo/inference/generation.py: next_tokens": "text is generated token by token, until all end",
    "zoo/inference/generation.py: choose": "probabilities are added up on the CPU, to repeat",
    "zoo/tasks/rewards.py: of": "prompts are read to be continued",
    "zoo/tasks/rewards.py: rewards": "answers are judged as text",
    "zoo/tasks/rollouts.py: lengths": "so they are counted",
    "zoo/tasks/rollouts.py: _padded": "they become a batch again",
    "zoo/tasks/reinforce.py: _train": "answers that teach are counted",
    "zoo/tasks/reinforce.py: _evaluate": "the trivial answer is judged as text",
    "zoo/training/evaluate.py: evaluate": ALLOWED["zoo/training/evaluate.py: evaluate"],
}
GAPS = {  # of task=infilling
    "zoo/tasks/infilling.py: _texts": "gaps are drawn row by row, of which each has its own number",
    "zoo/tasks/infilling.py: pairs": "they become a batch again",
}
BEAMS = ("seq2seq", "infilling")  # predict by beam search
HERE = Runtime(DEVICE)
FP32 = Precision("fp32", DEVICE)


class Anywhere:
    """Waiting is allowed everywhere: for what is copied to the device once, at the start."""

    def __contains__(self, name):
        return True


def on_gpu(tree):
    return tree_map(lambda leaf: leaf.to(DEVICE) if isinstance(leaf, torch.Tensor) else leaf, tree)


def text_classifier(model, **options):
    """A model of sequences with a head over classes, and texts of two lengths."""
    tiny = {**MODELS[model].tests["tiny"], "num_outputs": 3, "pad_id": 0, **options}
    facts = {"input_shape": (1,), "num_outputs": 3}
    example = TASKS["classification"].tests["example"](facts, train_tokenizer)
    tokens = torch.randint(1, 16, (12, 8))
    tokens[::2, 5:] = 0
    model = MODELS.build({"name": model, **tiny})
    task = TASKS.build({"name": "classification"}, **example.facts)
    return model, task, example.batch | {"input": tokens}


def with_options(name, model=None, task=None, **batch):
    """A registered case with other settings of its model and its task."""
    case = make(name)
    registered, served = OTHERS.get(name) or (name, MODELS[name].tests["task"])
    tiny = MODELS[registered].tests["tiny"]
    built = MODELS.build({"name": registered, **tiny, **(model or {})})
    served = TASKS.build({"name": served, **(task or {})}, **case.example.facts)
    return built, served, case.example.batch | batch


MODERN = dict(positions="rotary", norm="rms", activation="swiglu", qk_norm=True, dropout=0.1)
VARIANTS = {
    "bert, classes": lambda: text_classifier("bert"),
    "gpt, classes": lambda: text_classifier("gpt"),
    "rnn, classes": lambda: text_classifier("rnn"),
    "rnn, both ways": lambda: text_classifier("rnn", bidirectional=True, pool="mean"),
    "gpt, modern": lambda: with_options("gpt", MODERN | {"kv_heads": 1}),
    "bert, modern": lambda: with_options("bert", MODERN | {"pre_norm": True}),
    "gpt, prompts": lambda: with_options("gpt", scored=torch.ones(12, 8, dtype=torch.bool)),
    "gru": lambda: with_options("rnn", {"cell": "gru", "dropout": 0.1}),
    "mlp, weights": lambda: with_options("mlp", task={"class_weights": "balanced"}),
    "mlp, batch norm": lambda: with_options("mlp", {"norm": "batch"}),
    "mlp-regression, huber": lambda: with_options("mlp-regression", task={"loss": "huber"}),
    "transformer, smoothing": lambda: with_options(
        "transformer", task={"label_smoothing": 0.1, "metric": "loss"}
    ),
    "word2vec, subsampling": lambda: with_options("word2vec", task={"sample": 1e-3, "window": 3}),
}


def parts(name):
    """Model, task, batch on the GPU."""
    if name in VARIANTS:
        model, task, batch = VARIANTS[name]()
    else:
        case = make(name)
        model, task, batch = case.model, case.task, case.example.batch
    prepare_task(task, 1, 1, 2)
    return model.to(DEVICE).train(), task, on_gpu(batch)


# A mixture's products of a GPU, torch._grouped_mm, are not the stand-in's: its reference, which
# waits for the number of rows of each expert, would be taken (tests/test_every_kernel.py has both).
MIXTURES = ("deepseek",)
CASES = [*(n for n in MODELS.names() if n not in MIXTURES), *sorted(OTHERS)]
every_case = pytest.mark.parametrize("name", [*CASES, *VARIANTS])


def step(model, task, batches, optimizer, ema=None):
    """What a step of training does."""
    accumulate_gradients(model, task, batches, FP32, HERE, RunningMetrics())
    clip_gradients(list(model.parameters()), 1.0)
    FP32.step(optimizer)
    if ema:
        ema.update(1)
    for parameter in model.parameters():
        parameter.grad = None


@every_case
def test_training_and_evaluation_do_not_wait(name):
    model, task, batch = parts(name)
    optimizer, ema = build_optimizer({"name": "adamw"}, model), EMA(model, 0.9)
    samples = isinstance(task, Reinforce)
    after = ANSWERS if samples else ALLOWED | GAPS
    with deterministic(samples):  # as a run that must repeat samples
        for allowed in (Anywhere(), after):
            with watched(allowed):
                step(model, task, [batch], optimizer, ema)
        with watched(after):
            evaluate(model, task, [batch], FP32, HERE)


def test_waiting_is_allowed_where_it_happens_alone():
    model, task, batch = parts("rnn_attention")
    optimizer = build_optimizer({"name": "adamw"}, model)
    with watched(Anywhere()) as gpu:
        step(model, task, [batch], optimizer)
        evaluate(model, task, [batch], FP32, HERE)
    assert gpu.waited == set(ALLOWED)


@pytest.mark.parametrize("name", ["mlp", "transformer"])
def test_micro_batches_do_not_wait(name):
    model, task, batch = parts(name)
    optimizer = build_optimizer({"name": "adamw"}, model)
    for allowed in (Anywhere(), ALLOWED):
        with watched(allowed):
            step(model, task, [batch, batch], optimizer)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_optimizers_do_not_wait(name):
    for case in ("word2vec", "gpt"):  # tables of vectors; matrices and vectors
        model, task, batch = parts(case)
        optimizer = build_optimizer({"name": name}, model)
        for allowed in (Anywhere(), {}):
            with watched(allowed):
                step(model, task, [batch], optimizer)


def texts(folder):
    """Files of running text, of labelled texts, of prompts and responses."""
    rng = random.Random(0)
    lines = ["".join(rng.choices("abcd ", k=rng.randint(4, 12))).strip() + "e" for _ in range(60)]
    (folder / "text.txt").write_text("\n".join(lines))
    rows = [f"{line},{'xy'[k % 2]}" for k, line in enumerate(lines)]
    (folder / "labelled.csv").write_text("\n".join(["text,label", *rows]))
    prompts = [json.dumps({"prompt": line, "response": line[::-1]}) for line in lines]
    (folder / "prompts.jsonl").write_text("\n".join(prompts))


DATA = {
    "rain": {"samples": 60},
    "digits": {"augment": {"shift": 1, "crop": 1, "flip": True, "cutout": 2}},
    "numbers": {"size": 100},
    "text": {"path": "text.txt", "block_size": 8, "tokenizer": "char", "val_fraction": 0.2},
    "text_csv": {
        "path": "labelled.csv",
        "text": "text",
        "target": "label",
        "tokenizer": "char",
        "block_size": 16,
    },
    "sft": {"path": "prompts.jsonl", "tokenizer": "bpe", "vocab_size": 270, "block_size": 64},
}


@pytest.mark.parametrize("name", DATA)
def test_batches_do_not_wait(name, tmp_path, data_root):
    texts(tmp_path)
    options = {"name": name, **DATA[name]}
    if "path" in options:
        options["path"] = str(tmp_path / options["path"])
    if "root" in DATASETS[name].uses:
        options["root"] = str(data_root)
    loader = Loader(build_dataset(options), 8, 0, HERE, accumulate=2)
    for allowed in (Anywhere(), {}):
        with watched(allowed):
            batches = [*loader.training(2, 6), *loader.evaluation("val")]
    assert {column.device for batch in batches[-1:] for column in batch.values()} == {DEVICE}


@pytest.mark.parametrize("name", TASKS.names())
def test_previews_and_predictions_repeat_and_mix_no_devices(name, monkeypatch):
    """They read numbers, so they wait."""
    monkeypatch.setattr(tasks_causal_lm, "PREVIEW_TOKENS", 3)
    served = {c: (OTHERS.get(c) or (c, MODELS[c].tests["task"]))[1] for c in reversed(CASES)}
    case = next(c for c, task in served.items() if task == name)
    model, task, batch = parts(case)
    model.eval()
    inputs = {next(iter(batch)): make(case).example.inputs(batch)[0]}
    with watched(Anywhere()), torch.no_grad(), deterministic(True):
        sums = evaluate(model, task, [batch], FP32, HERE)
        task.preview(model, batch, sums, Previews())
        assert name in BEAMS or next(task.predict(model, inputs))


# --------------------------------------------------------------------------- the stand-in itself


WAITING = {
    "item": lambda x, mask, host: x.sum().item(),
    "if": lambda x, mask, host: bool(mask.any()),
    "int of the largest": lambda x, mask, host: int(x.max()),
    "list": lambda x, mask, host: x.tolist(),
    "copy to the CPU": lambda x, mask, host: x.cpu(),
    "copy from pageable memory": lambda x, mask, host: host.to(DEVICE),
    "numbers of Python": lambda x, mask, host: torch.tensor([1, 2], device=DEVICE),
    "a mask reads": lambda x, mask, host: x[mask],
    "a mask writes": lambda x, mask, host: x.__setitem__(mask, x[:1, 0]),
    "nonzero": lambda x, mask, host: mask.nonzero(),
    "bincount": lambda x, mask, host: torch.bincount(x.argmax(1)),
    "unique": lambda x, mask, host: x.unique(),
    "counts": lambda x, mask, host: x.repeat_interleave(x.argmax(1), 0),
}


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_raises(name):
    x = torch.ones(4, 4, device=DEVICE)
    with watched(), pytest.raises(Waits):
        WAITING[name](x, x > 0, torch.ones(4, 4))
    with watched(Anywhere()):
        WAITING[name](x, x > 0, torch.ones(4, 4))


def test_what_mixes_devices_raises():
    x, host = torch.ones(4, 4, device=DEVICE), torch.ones(4, 4)
    with watched():
        for mix in (lambda: x + host, lambda: x[host.argmax(1)], lambda: host[x.argmax(1)]):
            with pytest.raises(Mixes):
                mix()
        assert (x + host.sum()).device == DEVICE  # a number goes along with the operation
        assert host.to(DEVICE, non_blocking=True).device == DEVICE


def test_backward_passes_are_watched():
    class Waiting(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * gradient.sum().item()

    layer = nn.Linear(2, 2, device=DEVICE)
    with watched(), pytest.raises(Waits):
        Waiting.apply(layer(torch.ones(3, 2, device=DEVICE))).sum().backward()


def test_what_does_not_repeat_raises():
    x = torch.ones(2, 3, 4, 4, device=DEVICE, requires_grad=True)
    with watched():
        with pytest.raises(DoesNotRepeat):
            x.cumsum(1)
        with pytest.raises(DoesNotRepeat):
            nn.functional.interpolate(x, scale_factor=2, mode="bilinear").sum().backward()
        assert x.long().cumsum(1).device == DEVICE
        nn.AdaptiveAvgPool2d(1)(x).sum().backward()  # a mean


def test_the_list_of_what_does_not_repeat_is_torchs():
    text = torch.use_deterministic_algorithms.__doc__.partition("operations will throw a")[2]
    names = re.findall(r"\* :(?:class|func):`([\w.]+)`", text.partition("In addition")[0])
    assert names and {name.rpartition(".")[2] for name in names} <= set(UNREPEATABLE)
