"""Each dataset's YAML lists every option of its builder, with its default; importing is cheap."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zoo.build import FORM_KEYS
from zoo.registry import DATASETS
from zoo.schema import parameters

FOLDER = Path(__file__).parents[3] / "configs" / "data"
FACTS = {"split", "augment", "encoding", "workers", "form"}  # what build.py passes
COMMON = set(yaml.safe_load((FOLDER / "_common.yaml").read_text()))


def listed(name):
    """What a YAML file lists, with what it takes over from a shared one (_tokens, _pairs)."""
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    if name == "_common":
        return config
    base, own = config.pop("defaults")
    assert base.startswith("_") and own == "_self_"
    return listed(base) | config


@pytest.mark.parametrize("name", DATASETS.names())
def test_yaml_and_signature_agree(name):
    config = listed(name)
    assert config.pop("name") == name
    schema = parameters(DATASETS[name].builder)
    assert ("augment" in schema) == ("augment" in config)
    if "augment" in config:
        off = {"shift": 0, "crop": 0, "flip": False, "cutout": 0}
        assert config.pop("augment") == off
    assert ("form" in schema) == ("tokenizer" in config)
    own = {key: value for key, value in config.items() if key not in {*COMMON, *FORM_KEYS}}
    wanted = {key: p for key, p in schema.items() if key not in FACTS}
    assert set(own) == set(wanted)
    for key, parameter in wanted.items():
        assert parameter.default in (own[key], parameter.empty), key
    assert {"split", "encoding"} <= set(schema)


def test_no_yaml_without_a_dataset():
    names = {p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_")}
    assert names == set(DATASETS.names())


def test_importing_all_datasets_imports_nothing_heavy():
    code = (
        "import sys; from zoo.registry import DATASETS; DATASETS.names();"
        "print([m for m in ('sklearn', 'PIL', 'safetensors', 'scipy') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
