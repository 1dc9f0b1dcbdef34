"""The glossary: its entries are used, links into it arrive, choices that pages name are in it.

A choice (`optim=muon`) has to be explained once a page names it, so that adding one to the code is
still one Python file and one YAML file.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
TEXT = GLOSSARY.read_text(encoding="utf-8")
PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
PAGES += sorted(set((ROOT / "docs").glob("*.md")) - {GLOSSARY})
ENTRY = re.compile(r'^- <a id="([\w-]+)"></a>\*\*(.+?)\*\*( \([^)]+\))?: (.+)$', re.MULTILINE)
ENTRIES = {anchor: (names, text) for anchor, names, _, text in ENTRY.findall(TEXT)}
GROUPS = ("optim", "schedule", "task", "adapter")


def code(text):
    """What stands in blocks and spans of code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def choices(group):
    return {path.stem for path in (ROOT / "configs" / group).glob("[!_]*.yaml")}


def test_every_line_of_a_list_is_an_entry_with_an_anchor_of_its_own():
    lines = [line for line in TEXT.splitlines() if line.startswith("- ")]
    assert len(lines) == len(ENTRIES) > 100


@pytest.mark.parametrize("page", [*PAGES, GLOSSARY], ids=lambda page: page.name)
def test_links_into_the_glossary_arrive(page):
    links = re.findall(r"\]\([\w./]*glossary\.md#([^)]*)\)", page.read_text(encoding="utf-8"))
    assert set(links) <= set(ENTRIES), page.name


def test_no_entry_is_dead():
    """Each is linked from a page, or one of its names or keys is on a page or in a config."""
    configs = sorted((ROOT / "configs").rglob("*.yaml"))
    used = "\n".join(path.read_text(encoding="utf-8") for path in [*PAGES, *configs])
    dead = []
    for anchor, (names, text) in ENTRIES.items():
        words = [*re.split(r", (?:and )?", names), *re.findall(r"`(?:\w+\.)*(\w+)", text)]
        found = any(re.search(rf"(?<!\w){re.escape(w)}(?!\w)", used, re.I) for w in words)
        if not found and f"glossary.md#{anchor})" not in used:
            dead.append(anchor)
    assert dead == []


@pytest.mark.parametrize("group", GROUPS)
def test_choices_that_pages_name_are_explained(group):
    written = code("\n".join(page.read_text(encoding="utf-8") for page in PAGES))
    explained = code(TEXT)
    pattern = rf"(?:{group}=|(?<![\w=.])){{}}(?![\w.])"
    named = {c for c in choices(group) if re.search(pattern.format(re.escape(c)), written)}
    missing = {c for c in named if not re.search(pattern.format(re.escape(c)), explained)}
    assert named and not missing


def test_the_choices_that_the_glossary_names_exist():
    for group, choice in re.findall(rf"\b({'|'.join(GROUPS)})=(\w+)", code(TEXT)):
        assert choice in choices(group), f"{group}={choice}"
