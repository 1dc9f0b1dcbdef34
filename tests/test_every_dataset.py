"""Each dataset's YAML lists every option of its builder, with its default; importing is cheap."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from zoo.data.build import TOKENIZER_KEYS, build_dataset
from zoo.data.datasets import cifar10, fashion_mnist, mnist
from zoo.errors import UserError
from zoo.registry import DATASETS
from zoo.schema import parameters

FOLDER = Path(__file__).parents[1] / "configs" / "data"
COMMON = set(yaml.safe_load((FOLDER / "_common.yaml").read_text()))
LABELS = yaml.safe_load((FOLDER / "_labels.yaml").read_text())


def listed(name):
    """What a YAML file lists, with what it inherits from shared ones (_labels, _tokens, _pairs)."""
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    *bases, own = config.pop("defaults", ["_self_"])
    assert all(base.startswith("_") for base in bases) and own == "_self_"
    inherited = {}
    for base in bases:
        inherited |= listed(base)
    return inherited | config


@pytest.mark.parametrize("name", DATASETS.names())
def test_yaml_and_signature_agree(name):
    config = listed(name)
    assert config.pop("name") == name
    entry = DATASETS[name]
    schema = parameters(entry.builder)
    assert schema.pop("context").default is inspect.Parameter.empty
    labels = {"labels"} if set(LABELS) <= set(config) else set()
    assert set(entry.uses) == {"root", "augment", "tokenizer"} & set(config) | labels
    if "augment" in config:
        off = {"shift": 0, "crop": 0, "flip": False, "cutout": 0}
        assert config.pop("augment") == off and config.pop("test_shift") == 0
    shared = {*COMMON, *LABELS, *TOKENIZER_KEYS, "root"}
    own = {key: value for key, value in config.items() if key not in shared}
    assert set(own) == set(schema)
    for key, parameter in schema.items():
        assert parameter.default in (own[key], parameter.empty), key


def test_settings_that_a_dataset_does_not_use_are_refused():
    with pytest.raises(UserError, match="data.root: data=rain has no such option"):
        build_dataset({"name": "rain", "root": "data"})
    with pytest.raises(UserError, match="data.augment: data=iris has no such option"):
        build_dataset({"name": "iris", "augment": {"flip": True}})
    with pytest.raises(UserError, match="data.tokenizer: data=digits has no such option"):
        build_dataset({"name": "digits", "tokenizer": "byte"})
    with pytest.raises(UserError, match="data.train_size: data=stdlib has no such option"):
        build_dataset({"name": "stdlib", "train_size": 9, "block_size": 8})
    with pytest.raises(UserError, match=r"data.label_noise: got 1, expected 0 to below 1"):
        build_dataset({"name": "iris", "label_noise": 1})
    with pytest.raises(UserError, match=r"data.root: got 3 \(int\), expected str"):
        build_dataset({"name": "iris", "root": 3})


LABELLED = [
    name
    for name in DATASETS.names()
    if "labels" in DATASETS[name].uses and "needs" not in DATASETS[name].tests
]


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_data_is_trained_on_a_part_and_with_noise(name, data_root):
    """`uses=("labels",)` promises it, whatever helper builds the dataset."""
    uses = DATASETS[name].uses
    options = {"name": name, **DATASETS[name].tests["tiny"], "train_size": 40}
    options |= {"root": str(data_root)} if "root" in uses else {}
    options |= {"tokenizer": "word", "vocab_size": None} if "tokenizer" in uses else {}
    train = build_dataset(options).splits["train"]
    assert len(train) == 40
    try:
        noisy = build_dataset({**options, "label_noise": 0.25})
    except UserError as error:
        assert "data.label_noise=0.25: a sample of this data has not one class" in str(error)
        return
    sources = (train, noisy.splits["train"])
    targets = [source.fetch(torch.arange(40))["target"] for source in sources]
    targets = [target[target >= 0] for target in targets]  # of words: those that have a tag
    assert (targets[0] != targets[1]).sum() == round(len(targets[0]) / 4)
    counts = noisy.facts.get("class_counts") or noisy.facts["tag_counts"]
    assert counts == torch.bincount(targets[1], minlength=len(counts)).tolist()
    (said,) = noisy.altered["train"]
    assert f"{round(len(targets[0]) / 4):,} of {len(targets[0]):,} training labels" in said


def test_no_yaml_without_a_dataset():
    names = {p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_")}
    assert names == set(DATASETS.names())


def test_importing_all_datasets_imports_nothing_heavy():
    code = (
        "import sys; from zoo.registry import DATASETS; DATASETS.names();"
        "print([m for m in ('sklearn', 'PIL', 'safetensors', 'scipy') if m in sys.modules])"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_published_hashes_are_all_different_and_whole():
    files = [*mnist.FILES, *fashion_mnist.FILES, *cifar10.FILES, cifar10.ARCHIVE]
    hashes = [file.content_sha256 or file.sha256 for file in files]
    assert len(set(hashes)) == 15 and all(len(one) == 64 for one in hashes)
