"""Every recipe composes, promises a result that can be held to, and trains."""

import re

import pytest
import torch

from zoo.config import CONFIG_DIR, GROUPS, experiments, leaves, load
from zoo.data.stdlib import sources
from zoo.registry import DATASETS
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


STAND_INS = {  # what to put in place of which function of the dataset's module
    "mnist": ("load_idx", few_idx_files),
    "fashion_mnist": ("load_idx", few_idx_files),
    "shakespeare": ("fetch", few_lines),
    "multi30k": ("read", few_sentences),
    "stdlib": ("sources", few_files),
    "pydoc": ("sources", few_files),
    "pydoc_topics": ("sources", few_files),
}
BLOCKS = ("data.batch_size=4", "data.block_size=32")
SMALLER = {  # the model is the recipe's own
    "numbers": ("data.size=200", "data.batch_size=8"),
    "multi30k": ("data.batch_size=8",),
    "shakespeare": BLOCKS,
    "stdlib": BLOCKS,
    "pydoc": BLOCKS,
    "pydoc_topics": BLOCKS,
}


@every_experiment
def test_composes_and_promises(name):
    settings = load([f"experiment={name}"])
    assert settings["name"] == settings["experiment"] == name
    assert settings["expect"], "a recipe promises a result: expect: {test/accuracy: '>= 0.98'}"
    for figure, text in settings["expect"].items():
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
    settings = load([f"experiment={name}"])
    choices = [f"{group}={settings[group]['name']}" for group in GROUPS if group != "trainer"]
    plain = set(leaves(load(choices)))
    assert {key for key in leaves(settings) if not key.startswith("expect")} <= plain


@every_experiment
def test_trains(name, train, monkeypatch):
    data = load([f"experiment={name}"])["data"]["name"]
    entry = DATASETS[data]
    if data in STAND_INS or entry.tests.get("needs") == "download":
        function, stand_in = STAND_INS[data]  # a new download needs a stand-in here
        monkeypatch.setattr(f"{entry.builder.__module__}.{function}", stand_in)
    result = train(f"experiment={name}", "trainer=debug", *SMALLER.get(data, ()))
    assert result.code == 0, result.err
    assert "trained 6 steps" in result.out
    assert (result.path / "result.json").is_file()
