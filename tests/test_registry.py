"""Registries: builders by name, their options, what YAML files list, plugins."""

import importlib
import itertools
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
import yaml
from test_every_experiment import STAND_INS

from zoo.errors import MissingFact, UserError
from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS, Registry
from zoo.schema import matches_type, parameters

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture
def registry():
    things = Registry("thing", "zoo.layers")

    @things.register("box", task="any", tiny={"size": 1})
    class Box:
        def __init__(
            self, size: int, rate: float = 0.5, kind: Literal["a", "b"] = "a", deep: bool = False
        ) -> None:
            self.given = (size, rate, kind, deep)

    @things.register("ball")
    def ball(radius: float = 1.0) -> tuple[str, float]:
        return ("ball", radius)

    return things


def test_messages_name_another_place_where_a_builder_is_a_part(registry):
    part = registry.under("thing.part")
    assert part.build({"name": "box", "size": 3}).given[0] == 3 and part.names() == registry.names()
    with pytest.raises(UserError, match="thing.part.sise: thing.part=box has no such option"):
        part.build({"name": "box", "sise": 3})
    with pytest.raises(UserError, match="^unknown thing 'boxx'"):
        registry.build({"name": "boxx"})


def test_builds_by_name(registry):
    assert registry.names() == ["ball", "box"]
    assert registry.build({"name": "box", "size": 3, "kind": "b"}).given == (3, 0.5, "b", False)
    assert registry.build({"name": "ball"}) == ("ball", 1.0)
    assert registry["box"].tests == {"task": "any", "tiny": {"size": 1}}


def test_facts_go_only_where_they_are_named(registry):
    facts = {"size": 7, "num_classes": 3}
    assert registry.arguments({"name": "box"}, **facts) == {"size": 7}
    assert registry.arguments({"name": "ball"}, **facts) == {}


def test_the_config_wins_over_facts(registry):
    assert registry.arguments({"name": "box", "size": 2}, size=7) == {"size": 2}


def test_a_missing_fact_is_named(registry):
    with pytest.raises(MissingFact, match="thing=box needs 'size'") as caught:
        registry.build({"name": "box"}, sizes=3)
    assert (caught.value.kind, caught.value.name, caught.value.fact) == ("thing", "box", "size")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"name": "bix"}, "unknown thing 'bix'; did you mean 'box'?"),
        ({"name": "zzzzz"}, "one of: ball, box"),
        ({}, "thing.name is missing"),
        (
            {"name": "box", "sise": 3},
            "thing.sise: thing=box has no such option; did you mean 'size'",
        ),
        ({"name": "box", "size": "3"}, "thing.size: got '3' (str), expected int"),
        ({"name": "box", "size": 3.0}, "thing.size: got 3.0 (float), expected int"),
        ({"name": "box", "size": True}, "thing.size: got True (bool), expected int"),
        ({"name": "box", "size": None}, "thing.size: got null, expected int"),
        ({"name": "box", "rate": "fast"}, "expected float"),
        ({"name": "box", "kind": "c"}, "expected one of a, b"),
        ({"name": "box", "deep": 1}, "expected bool"),
        ({"name": "box", "_target_": "os.system"}, "_target_ is refused"),
        ({"_target_": "os.system", "name": "ball"}, "it runs no code"),
    ],
)
def test_mistakes_are_one_line(registry, config, said):
    with pytest.raises(UserError) as caught:
        registry.build(config)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_all_mistakes_at_once(registry):
    with pytest.raises(UserError) as caught:
        registry.build({"name": "box", "sise": 3, "rate": "x", "deep": "no"})
    assert str(caught.value).count(";") >= 2 and all(
        word in str(caught.value) for word in ("sise", "rate", "deep")
    )


def test_two_builders_of_one_name_are_refused(registry):
    def other() -> None: ...

    other.__module__ = "elsewhere"
    with pytest.raises(UserError, match="two things are named 'box'.*elsewhere"):
        registry.register("box")(other)


def test_names_after_one_that_clashes_stay_known(tmp_path, monkeypatch):
    """A notebook goes on after the error."""
    package = tmp_path / "package_that_clashes"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from zoo.registry import Registry\nTHINGS = Registry('thing', __name__)\n"
    )
    for name in ("a", "b"):
        text = f"from . import THINGS\nTHINGS.register('{name}')(lambda: 0)\n"
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    things = importlib.import_module("package_that_clashes").THINGS
    things.register("a")(lambda: 1)
    for _ in range(2):
        with pytest.raises(UserError, match="two things are named 'a'"):
            things.build({"name": "b"})


def test_registering_again_from_the_same_module_replaces(registry):
    """As importlib.reload and notebooks do."""
    registry.register("ball")(lambda: "new")
    assert registry.build({"name": "ball"}) == "new"


# ------------------------------------------------------ YAML files and signatures agree

SAME = {one.kind: one for one in (MODELS, TASKS, ADAPTERS, OPTIMIZERS, SCHEDULES)}


@pytest.fixture(scope="module")
def facts(data_root, tmp_path_factory):
    """What the datasets that need no download state; of tables also with several targets."""
    from zoo.build import build_dataset
    from zoo.config import compose

    stated = {
        "model",
        "teacher",
        "teacher_facts",
        "next_sentence",
    }  # which optimizers, adapters and others take; of data.next_sentence=true
    words = {"tokenizer": "word", "mask_token": True}  # all that running text can state
    for name in DATASETS.names():
        settings = compose.load([f"data={name}"]).data
        if "path" in settings or "needs" in DATASETS[name].tests or name.startswith("stdlib"):
            continue  # they state what pydoc and sums do
        where = {"root": str(data_root)} if "root" in settings else {}
        answers = ("pydoc_answers", "pydoc_chat", "sums")  # are written, which words cannot do
        data = settings | DATASETS[name].tests.get("tiny", {}) | where
        data |= words if "mask_token" in settings and name not in answers else {}
        with pytest.MonkeyPatch.context() as patch:
            if name in STAND_INS:
                function, stand_in = STAND_INS[name]
                patch.setattr(f"{DATASETS[name].builder.__module__}.{function}", stand_in)
            dataset = build_dataset(data)
        stated |= (dataset.facts | dataset.encoding.runtime_facts).keys()
    table = tmp_path_factory.mktemp("table") / "films.csv"
    rows = [f"{i},{2 * i},{i % 7},{('a', 'b', 'a;b')[i % 3]}" for i in range(60)]
    table.write_text("\n".join(["length,price,rent,tags", *rows]) + "\n")
    for settings in (["data.target='price,rent'"], ["data.target=tags", "data.kind=multi_label"]):
        data = compose.load(["data=csv", f"data.path={table}", *settings]).data
        stated |= build_dataset(data).facts.keys()
    return stated | {"fresh"}  # of adapters: what no trained weights were loaded into


def registered():
    """The registries whose package exists yet."""
    there = [(g, r) for g, r in SAME.items() if all(map(find_spec, r.packages))]
    return [(group, name) for group, registry in there for name in registry.names()]


@pytest.mark.parametrize(("group", "name"), registered())
def test_the_yaml_lists_what_the_signature_takes(group, name, facts):
    listed = yaml.safe_load((CONFIGS / group / f"{name}.yaml").read_text())
    parts = {key for base in listed.pop("defaults", []) for key in _parts(base)}
    assert listed.pop("name") == name
    schema = parameters(SAME[group][name].builder)
    root = yaml.safe_load((CONFIGS / "train.yaml").read_text()).get(group, {})  # of all of a group
    shared = {key: (root | listed)[key] for key in SAME[group].shared}
    assert not any(shared.values())
    listed = {key: value for key, value in listed.items() if key not in shared}
    assert set(listed) | parts == {option for option in schema if option not in facts}
    resolved = {k: float(v) if isinstance(v, str) and _number(v) else v for k, v in listed.items()}
    for option, value in resolved.items():
        assert matches_type(value, schema[option].annotation), (option, value)


def _parts(base):
    """The options that a line of `defaults` lists: `/model@image: cnn`."""
    return (
        {key.partition("@")[2] for key in base if "@" in key} if isinstance(base, dict) else set()
    )


def _number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True  # YAML 1.1 reads 1e-3 as text; Hydra reads a number


@pytest.mark.parametrize("group", sorted({group for group, _ in registered()}))
def test_every_yaml_has_a_builder(group):
    files = {path.stem for path in (CONFIGS / group).glob("*.yaml") if path.stem[0] != "_"}
    assert files == set(SAME[group].names())


CONFIG_FILES = sorted(
    p for p in CONFIGS.rglob("*.yaml") if "hydra" not in p.relative_to(CONFIGS).parts
)


@pytest.mark.parametrize("path", CONFIG_FILES, ids=lambda p: p.stem)
def test_no_yaml_names_code(path):
    def keys(node):
        if isinstance(node, dict):
            yield from itertools.chain(node, *map(keys, node.values()))
        elif isinstance(node, list):
            yield from itertools.chain(*map(keys, node))

    assert not [k for k in keys(yaml.safe_load(path.read_text())) if str(k).startswith("_target")]


# --------------------------------------------------------------------------- plugins

PLUGIN = """
import torch
from zoo.registry import MODELS

@MODELS.register("{name}")
class Mine(torch.nn.Module):
    def __init__(self, input_shape: tuple[int, ...], num_outputs: int, width: int, depth: int,
                 activation: str, norm: str, dropout: float) -> None:
        super().__init__()
        self.only = torch.nn.Linear(input_shape[0], num_outputs)

    def forward(self, x):
        return self.only(x)
"""


def test_a_plugin_trains_without_a_change_to_the_package(train, tmp_path, monkeypatch):
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    (tmp_path / "my_plugin_model.py").write_text(PLUGIN.format(name="mine"))
    monkeypatch.syspath_prepend(tmp_path)
    done = train(
        "model=mlp", "model.name=mine", "data=rain", "trainer=debug", "plugins=[my_plugin_model]"
    )
    assert done.code == 0, done.err
    assert "model      mine, 6 parameters" in done.out
    for command in ("evaluate.py", "scripts/predict.py"):  # as printed, to be typed again
        (line,) = [line for line in done.out.splitlines() if f"python {command} " in line]
        assert f"run={done.path} 'plugins=[my_plugin_model]'" in line
    forgotten = train(f"resume={done.path}")
    assert forgotten.code == 2 and "add plugins=[my_plugin_model]" in forgotten.err
    longer = ("plugins=[my_plugin_model]", "trainer.max_steps=8")
    assert train(f"resume={done.path}", *longer).code == 0


def test_a_name_that_no_plugin_registered(mistake):
    said = mistake("model=mlp", "model.name=mime")
    assert "unknown model 'mime'" in said and "add plugins=[<its module>]" in said
