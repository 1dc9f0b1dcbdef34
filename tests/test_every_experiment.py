"""Every recipe composes, promises a result that can be held to, and trains."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sample_glyphs import few_glyphs
from support import recipe

from zoo.config.compose import load
from zoo.config.groups import CONFIG_DIR, GROUPS, experiments, leaves
from zoo.data.datasets.stdlib import sources
from zoo.registry import DATASETS, MODELS
from zoo.training.finish import parse_expectation

every_experiment = pytest.mark.parametrize("name", experiments())


def few_idx_files(files, root, name):
    """In place of a download: 300 images of noise with MNIST's shapes, the last 60 the test."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (300, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.arange(300) % 10, torch.arange(240, 300)


def few_lines(remote, root, name):
    """In place of a download: a text of 20,000 letters."""
    return b"To be, or not to be, that is the question:\n" * 460


def few_sentences(name, root):
    """In place of Multi30k's files: sentences of one to nine words."""
    number = 300 if name.startswith("train") else 40
    return [
        " ".join(["Hund" if name.endswith("de") else "dog"] * (k % 9 + 1)) for k in range(number)
    ]


def few_files():
    """Some of the standard library's files, which are quicker to read than all."""
    return (file for k, file in enumerate(sources()) if k % 8 == 0 and len(file[1]) < 40_000)


def few_photographs(archive, files, root, name):
    """In place of CIFAR-10's files: 100 images of noise, the last 20 the test."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (100, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images, torch.arange(100) % 10, torch.arange(80, 100)


def few_answers():
    """In place of the docstrings of the standard library."""
    return [(f"json.loads_{k}(s, *, cls=None)", f"Deserialize it {k} times.") for k in range(60)]


STAND_INS = {  # what to put in place of which function of the dataset's module
    "cifar10": ("load_cifar", few_photographs),
    "glyphs": ("load_glyphs", few_glyphs),
    "mnist": ("load_idx", few_idx_files),
    "fashion_mnist": ("load_idx", few_idx_files),
    "shakespeare": ("fetch", few_lines),
    "multi30k": ("read", few_sentences),
    "stdlib": ("sources", few_files),
    "pydoc": ("sources", few_files),
    "pydoc_topics": ("sources", few_files),
    "pydoc_answers": ("sources", few_files),
    "pydoc_chat": ("answers", few_answers),
    "stdlib_functions": ("sources", few_files),
    "tags": ("sources", few_files),
}
BLOCKS = ("data.batch_size=4", "data.block_size=32")
SMALLER = {  # the model is the recipe's own
    "numbers": ("data.size=200", "data.batch_size=8"),
    "sums": (
        "data.largest=4",
        "data.operations=+",
        "data.batch_size=4",
    ),  # chance is right at times
    "multi30k": ("data.batch_size=8",),
    "cifar10": ("data.batch_size=8",),
    "glyphs": ("data.batch_size=8",),
    "shakespeare": BLOCKS,
    "stdlib": BLOCKS,
    "pydoc": (*BLOCKS, "data.packages=[omegaconf]"),  # a small one
    "pydoc_topics": BLOCKS,
    "pydoc_answers": ("data.batch_size=4", "data.block_size=128"),
    "pydoc_chat": ("data.batch_size=4",),
    "stdlib_functions": (
        "data.batch_size=4",
        "data.block_size=128",
        "data.longest=120",
        "data.val_fraction=0.2",
        "data.test_fraction=0.2",
    ),
    "preferences": ("data.batch_size=4", "data.block_size=128", "task.max_tokens=4"),
    "tags": ("data.batch_size=8", "data.files=8"),
}


def smaller(config):
    """Options that make a recipe's data small, and what its task does with them at the end."""
    task = config.task
    few = ("data.batch_size=8", "trainer.max_samples=24")
    more = {
        "diffusion": ("task.steps=3", f"task.classify={min(1, task.get('classify', 0))}", *few),
        "elbo": few,
    }.get(task["name"], ())
    return (*SMALLER.get(config.data["name"], ()), *more)


@every_experiment
def test_composes_and_promises(name):
    config = recipe(name)
    assert config.name == config.experiment == name
    assert config.expect, "a recipe promises a result: expect: {test/accuracy: '>= 0.98'}"
    for figure, text in config.expect.items():
        parse_expectation(figure, text)
        assert figure.split("/")[0] in ("val", "test")


@every_experiment
def test_says_how_to_run_it_and_what_it_shows(name):
    text = (CONFIG_DIR / "experiment" / f"{name}.yaml").read_text()
    assert text.startswith("# @package _global_\n")
    assert f"# python train.py experiment={name}\n" in text
    comments = re.findall(r"^# (?!@package|python )(.+)$", text, re.MULTILINE)
    assert comments, "a sentence on what it shows is missing"


@every_experiment
def test_changes_only_what_its_groups_list(name):
    """`load` checks it; here, that a key which no group lists would indeed be found."""
    config = recipe(name)
    choices = [
        f"{group}={getattr(config, group)['name']}" for group in GROUPS if group != "trainer"
    ]
    if config.teacher.from_:
        choices.append(f"teacher.from={config.teacher.from_}")
    parts = {key: part for key, part in config.model.items() if isinstance(part, dict)}
    choices += [f"model.{key}={part['name']}" for key, part in parts.items() if "name" in part]
    plain = set(leaves(load(choices).to_dict()))
    free = ("expect.", "optim.rates.")  # their keys are names of metrics and of parameters
    assert {key for key in leaves(config.to_dict()) if not key.startswith(free)} <= plain


TINY = ("trainer.max_steps=2", "trainer.eval_steps=2", "trainer.precision=fp32")
WORDS = (
    "data=text", "data.vocab_size=300", "data.block_size=128", "data.batch_size=2",
    "model.width=16", "model.depth=2", "model.heads=2",
)  # fmt: skip
BASES = {  # what an experiment starts from, where that has to be trained or downloaded first
    "gpt": ("model=gpt", "task=causal_lm", *WORDS),
    "bert": ("model=bert", "task=masked_lm", "data.mask_token=true", *WORDS),
}


def base_of(config, train, folder):
    """Options that name small weights in place of those that a recipe starts from."""
    model = config.model["name"]
    if model == "resnet":
        sizes = dict(depth=18, width=4)
        weights = MODELS.build({"name": model, **sizes}, input_shape=(3, 8, 8), num_classes=7)
        torch.save(weights.state_dict(), folder / "weights.pth")
        return (f"init.from={folder / 'weights.pth'}",)
    pairs = config.data.get("next_sentence")  # whose tokens and head no text alone has
    if source := config.teacher.from_ or (pairs and config.init.from_):  # the recipe's own start
        name = Path(source).name
        first = recipe(name)
        below = base_of(first, train, folder) if first.init.from_ else ()
        start = train(f"experiment={name}", *TINY, *smaller(first), *below)
        assert start.code == 0, start.err
        begins = (f"init.from={start.path}",) if config.init.from_ else ()
        return (*begins, f"teacher.from={start.path}") if config.teacher.from_ else begins
    texts = folder / "texts"
    texts.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (texts / name).write_text(f"To be, or not to be, said {name}, is asked here:\n" * 200)
    done = train(*BASES[model], *TINY, f"data.path={texts}")
    assert done.code == 0, done.err
    return (f"init.from={done.path}",)


def photographs(folder):
    """A folder of two classes of noise."""
    for kind in ("cats", "dogs"):
        (folder / "photos" / kind).mkdir(parents=True)
        for k in range(10):
            noise = np.random.default_rng(k).integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "photos" / kind / f"{k}.png")
    return (f"data.path={folder / 'photos'}", "data.size=32", "data.batch_size=4")


def mistakes(folder):
    """Bodies of functions, good and bad ones."""
    parts = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    rows = [
        {"prompt": f"def f{k}(a):", "chosen": "\n    return a", "rejected": "\n  (", "split": part}
        for k, part in enumerate(parts)
    ]
    path = folder / "preferences.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return (f"data.path={path}",)


FILES = {"image_folder": photographs, "preferences": mistakes}


@every_experiment
def test_trains(name, train, monkeypatch, tmp_path):
    config = recipe(name)
    data = config.data["name"]
    more = FILES[data](tmp_path) if data in FILES else ()
    for known, (function, stand_in) in STAND_INS.items():
        monkeypatch.setattr(f"{DATASETS[known].builder.__module__}.{function}", stand_in)
    if config.init.from_ or config.teacher.from_:
        more += base_of(config, train, tmp_path)
    needs_download = DATASETS[data].tests.get("needs") == "download"
    assert data in STAND_INS or not needs_download, "a new download needs a stand-in here"
    result = train(f"experiment={name}", "trainer=debug", *smaller(config), *more)
    assert result.code == 0, result.err
    assert "trained 6 steps" in result.out
    assert (result.path / "result.json").is_file()
