"""Each dataset's YAML lists every option of its builder, with its default; importing is cheap."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zoo.registry import DATASETS
from zoo.schema import parameters

FOLDER = Path(__file__).parents[2] / "configs" / "data"
FACTS = {"split", "augment", "encoding", "workers"}  # what build.py passes
COMMON = set(yaml.safe_load((FOLDER / "_common.yaml").read_text()))


@pytest.mark.parametrize("name", DATASETS.names())
def test_yaml_and_signature_agree(name):
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    assert config.pop("defaults") == ["_common", "_self_"]
    assert config.pop("name") == name
    schema = parameters(DATASETS[name].builder)
    assert ("augment" in schema) == ("augment" in config)
    if "augment" in config:
        off = {"shift": 0, "crop": 0, "flip": False, "cutout": 0}
        assert config.pop("augment") == off
    own = {key: value for key, value in config.items() if key not in COMMON}
    assert own == {key: p.default for key, p in schema.items() if key not in FACTS}
    assert {"split", "encoding"} <= set(schema)


def test_no_yaml_without_a_dataset():
    names = {p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_")}
    assert names == set(DATASETS.names())


def test_importing_all_datasets_imports_nothing_heavy():
    code = (
        "import sys; from zoo.registry import DATASETS; DATASETS.names();"
        "print([m for m in ('sklearn', 'PIL', 'safetensors', 'scipy') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
