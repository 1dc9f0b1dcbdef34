"""docs/architecture.md: its list of facts is that of the code."""

import re
from pathlib import Path

import yaml

from zoo.build import build_dataset
from zoo.config.groups import model_parts
from zoo.registry import DATASETS, MODELS, TASKS
from zoo.schema import parameters

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("## Facts\n")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| `(\w+)` \| `(.+?)` \| (.+?) \|$", re.MULTILINE)
LISTED = {name: kind.replace("\\|", "|") for name, kind, _ in ROW.findall(SECTION)}
BUNDLED = ("rain", "iris", "diabetes", "digits", "numbers")  # datasets without a file of their own


def asked():
    """Each fact with its types: parameters that no YAML file lists."""
    found = {}
    for registry in (MODELS, TASKS):
        for name in registry.names():
            file = ROOT / "configs" / registry.kind / f"{name}.yaml"
            if not file.is_file():  # another test's
                continue
            listed = yaml.safe_load(file.read_text(encoding="utf-8"))
            for fact, parameter in parameters(registry[name].builder).items():
                if fact not in (*listed, *model_parts(), "teacher"):
                    found.setdefault(fact, set()).add(written(parameter.annotation))
    return found


def written(annotation):
    """A type without None and the modules of its parts."""
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(
        annotation, "__args__") else str(annotation)  # fmt: skip
    return re.sub(r"(typing|collections\.abc)\.", "", text).removesuffix(" | None")


def test_every_fact_is_listed_with_its_type():
    facts = asked()
    assert LISTED.keys() == facts.keys() and len(facts) > 20
    for fact, kinds in facts.items():
        assert kinds == {LISTED[fact]}, fact


def test_facts_that_data_states_are_listed(data_root):
    for name in BUNDLED:
        options = DATASETS[name].tests["tiny"]
        root = {"root": str(data_root)} if "root" in DATASETS[name].uses else {}
        dataset = build_dataset({"name": name, **options, **root})
        assert dataset.facts.keys() | dataset.encoding.runtime_facts.keys() <= LISTED.keys(), name
