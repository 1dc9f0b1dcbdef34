"""Settings that the docs name within a sentence or a table exist, and take the values given."""

import re
from pathlib import Path

import pytest
import yaml

from zoo import build
from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.run import types_of_settings
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted(
    {*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "decisions.md"}
)  # it names what was not chosen
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
SETTING = re.compile(
    r"(?:model|data|task|adapter|optim|schedule|trainer|init|teacher|sweep)\.[\w.]+"
)
BESIDE = "needs|takes a teacher|set init.from|is for the frozen"
GROUPS = (*configs.GROUPS, "experiment", "sweep")
OTHER = {  # no settings: a file's first line, a trial's folder, of a reader's own or TensorBoard
    "sep", "width", "group", "sweep.json", "task.name", "threads", "images",
}  # fmt: skip


def spans():
    """(page, code) of every piece of code outside of blocks, calls of Python apart."""
    for page in PAGES:
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for code in SPAN.findall(text):
            if "(" not in code and ")" not in code:
                yield page.name, code


def words():
    for page, code in spans():
        for word in code.split():
            key, equals, value = word.partition("=")
            if not re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)*", key) or key.split(".")[0] in OTHER:
                continue
            if equals or SETTING.fullmatch(key):
                is_value = equals and value and not re.search(r"[<>…]|\.\.\.|^[A-Z]$", value)
                yield page, key, value if is_value else None


WORDS = sorted({(key, value or "") for _, key, value in words() if key not in OTHER})


def listed(group):
    """{choice: the settings that its file lists}."""
    known = types_of_settings()
    own = {key for key in known if key.startswith(f"{group}.")}
    found = {None: own} if own else {}
    if group in ("init", "teacher"):
        return found
    for choice in configs.choices(group):
        keys = set()
        content = yaml.safe_load(configs.config_file(group, choice).read_text("utf-8")) or {}
        for base in ("_common", "_labels", "_tokens", "_pairs"):
            file = configs.CONFIG_DIR / group / f"{base}.yaml"
            if file.is_file() and base in str(content.get("defaults", "")):
                keys |= set(configs.leaves(yaml.safe_load(file.read_text("utf-8")), f"{group}."))
        parts = [
            key for base in content.get("defaults", []) if isinstance(base, dict) for key in base
        ]
        keys |= {f"{group}.{key.partition('@')[2]}" for key in parts}  # models within a model
        found[choice] = own | keys | set(configs.leaves(content, f"{group}."))
    return found


def usages():
    """The help texts of all commands."""
    folders = ("zoo/commands", "zoo/compare", "benchmarks", "docs/tools")
    files = [p for folder in folders for p in (ROOT / folder).glob("*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize(("key", "value"), WORDS)
def test_it_exists_and_takes_the_value(key, value):
    group, _, name = key.partition(".")
    if key in GROUPS:
        assert not value or value in configs.choices(key), configs.choices(key)
    elif not name or group == "judge":  # of a command
        top = types_of_settings()
        named = re.search(rf"\b{re.escape(key)}=", usages())
        assert key in top or named, f"no command takes {key}="
    else:
        fitting = [
            choice
            for choice, keys in listed(group).items()
            if key in keys or any(k.startswith(f"{key}.") for k in keys)
        ]
        assert fitting, f"no choice of {group} has {key}"
        if value and group != "sweep":
            assert any(takes(group, choice, f"{key}={value}") for choice in fitting)


def takes(group, choice, override):
    chosen = [] if choice is None else [f"{group}={choice}"]
    try:
        build.check_options(compose.load([*chosen, override]))
    except UserError as error:
        return bool(re.search(BESIDE, str(error)))  # another setting beside it
    return True


def test_the_docs_name_many():
    assert len(WORDS) > 120
