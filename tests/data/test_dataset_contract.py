"""A dataset is one Python file and one YAML file, an encoding one class: those of a plugin work."""

import json

import pytest

from zoo.build import build_dataset
from zoo.commands.evaluate import main as evaluate
from zoo.commands.predict import main as predict
from zoo.errors import UserError
from zoo.registry import DATASETS

DATASET = '''"""Four corners: which quadrant does a point lie in?"""

import torch

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.dataset import table_dataset
from zoo.registry import DATASETS


@DATASETS.register("plugin_corners", uses=("root",), tiny={})
def corners(context: DataContext, samples: int = 200) -> Dataset:
    """Two features, four classes."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(samples, 2, dtype=torch.float64, generator=generator)
    target = (points > 0.5).long() @ torch.tensor([2, 1])
    raw = {"x": points[:, 0], "y": points[:, 1]}
    return table_dataset(raw, target, "corner", ["sw", "nw", "se", "ne"], context)
'''

YAML = """
defaults: [_common, _self_]
name: plugin_corners
root: data
samples: 200
"""

ENCODING = '''"""Words as counts of their letters, a kind of data of its own."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import torch

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import ENCODINGS
from zoo.data.splits import split_columns
from zoo.registry import DATASETS

WORDS = "anna otto hannah level radar table chair window house tree".split() * 9


@ENCODINGS.register("plugin_letters")
@dataclass(frozen=True)
class LetterCounts:
    """Counts of the letters in `alphabet`, divided by `scale`."""

    kind: ClassVar[str] = "plugin_letters"
    holds: ClassVar[str] = "words"
    tokenizer: ClassVar[None] = None
    alphabet: str
    scale: float

    @property
    def runtime_facts(self):
        return {}

    def to_json(self):
        return {"kind": self.kind, "alphabet": self.alphabet, "scale": self.scale}

    @classmethod
    def from_json(cls, json):
        return cls(json["alphabet"], json["scale"])

    def prepare(self, batch):
        return {**batch, "input": batch["input"].float() / self.scale}

    def count(self, words):
        return torch.tensor([[Counter(word)[letter] for letter in self.alphabet] for word in words])

    def read(self, path):
        return [path], {"input": self.count([path])}


@DATASETS.register("plugin_palindromes", uses=("root",), tiny={})
def palindromes(context: DataContext) -> Dataset:
    """Is a word the same from both ends?"""
    target = torch.tensor([int(word == word[::-1]) for word in WORDS])
    encoding = context.fitted(LetterCounts)
    if encoding is None:
        encoding = LetterCounts("".join(sorted(set("".join(WORDS)))), 2.0)
    columns = {"input": encoding.count(WORDS), "target": target}
    index = context.indices(target)
    facts = {
        "input_shape": (len(encoding.alphabet),),
        "class_names": ["other", "palindrome"],
        "class_counts": target[index["train"]].bincount(minlength=2).tolist(),
        "num_classes": 2,
        "num_outputs": 2,
    }
    splits = split_columns(columns, index, add_all=not context.is_new)
    return Dataset(facts, splits, encoding, fingerprint(columns.values()))
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A module of the user's own, in a folder on the path; its names are forgotten afterwards."""
    from zoo.data.encoding import ENCODINGS

    registries = (DATASETS, ENCODINGS)
    for registry in registries:
        registry.names()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return f"plugins=[{name}]"

    return write


TINY = ("model=mlp", "model.width=8", "trainer=debug")


def test_a_dataset_of_a_plugin_is_trained_and_evaluated(plugin, train, tmp_path, capsys):
    plugins = plugin("my_corners", DATASET)
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "plugin_corners.yaml").write_text(YAML)
    where = ("--config-dir", str(tmp_path / "configs"))
    result = train(*where, *TINY, "data=plugin_corners", "data.samples=100", plugins)
    assert result.code == 0, result.err
    assert json.loads((result.path / "dataset.json").read_text())["facts"]["num_classes"] == 4
    assert evaluate([f"run={result.path}", "json=true", "device=cpu", plugins]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["samples"] == 20
    with pytest.raises(UserError, match="did you mean 'samples'?"):
        build_dataset({"name": "plugin_corners", "sample": 100})


def test_an_encoding_of_a_plugin_is_saved_restored_and_predicts(plugin, train, capsys):
    from zoo.data.encoding import ENCODINGS

    plugins = plugin("my_letters", ENCODING)
    result = train(*TINY, "data=iris", "data.name=plugin_palindromes", plugins)
    assert result.code == 0, result.err
    saved = json.loads((result.path / "dataset.json").read_text())["encoding"]
    assert saved["kind"] == "plugin_letters"
    ask = [f"run={result.path}", "input=anna", "json=true", "device=cpu"]
    assert predict([*ask, plugins]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["class"] in ("other", "palindrome")
    assert evaluate([f"run={result.path}", "json=true", "device=cpu", plugins]) == 0
    capsys.readouterr()
    del ENCODINGS._entries["plugin_letters"]  # as in a process that has not imported the plugin
    assert predict(ask) == 2
    line = capsys.readouterr().err
    assert "encoding of unknown kind 'plugin_letters' (one of: " in line and " image, " in line
    assert "if you trust them, add plugins=[my_letters]" in line


def test_all_encodings_are_registered_under_their_kind():
    from zoo.data.encoding import ENCODINGS

    kinds = {name: ENCODINGS[name].builder.kind for name in ENCODINGS.names()}
    assert kinds == {name: name for name in kinds}
    assert set(kinds) >= {"image", "labelled_text", "pair", "sft", "table", "text"}
