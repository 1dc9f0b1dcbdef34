"""The report of a run: equal figures, nothing loaded, nothing that was written runs."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import pytest
from support import write_run

from zoo.report.run import render
from zoo.training.console import show

EVIL = '</script><img src=x onerror="alert(1)">'


class Page(HTMLParser):
    """Tags with their attributes, cells of tables, and what scripts and styles hold."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.open, self.inside = [], [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.cells.append([])
        if tag in ("th", "td"):
            self.cells[-1].append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, text):
        if self.open and self.open[-1] in ("script", "style"):
            self.inside.setdefault(self.open[-1], []).append(text)
        elif {"th", "td"} & set(self.open):
            self.cells[-1][-1] += text

    def rows(self):
        """By their first cell: the first table that has it."""
        return {row[0]: row[1:] for row in reversed(self.cells)}


def png(width=300, height=200, caption="", fill=0):
    """A PNG with a caption, of about `fill` bytes more."""

    def chunk(kind, content):
        sum_ = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + sum_

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\0\0\0"
    text = chunk(b"iTXt", b"Description\0\0\0\0\0" + caption.encode()) if caption else b""
    body = zlib.compress(b"\0" * (width + 1) * height)
    more = chunk(b"faKe", b"x" * fill) if fill else b""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + more
    return start + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def write_previews(run, files):
    (run / "previews").mkdir()
    for name, content in files.items():
        (run / "previews" / name).write_bytes(content)


def sound(text):
    """Whether each part that the script looks for is on the page."""
    ids = [attributes.get("id") for _, attributes in Page(text).tags]
    content = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    return all(name in ids for name in content)


@pytest.fixture
def run(tmp_path):
    val, test = {"accuracy": 0.91234567, "loss": 0.25}, {"accuracy": 0.875, "loss": 0.31}
    result = {
        "expect": {"test/accuracy": {"expected": ">= 0.9", "reached": 0.875, "met": False}},
        "baseline": {"name": "majority class", "val": {"accuracy": 0.5}, "beaten": False,
                     "test": {"accuracy": 0.4321}},
    }  # fmt: skip
    typed = ["experiment=toy", "optim.lr=0.02"]
    return write_run(tmp_path / "run", val, test, losses=[2.0, 1.0, 0.5], typed=typed,
                     optim__lr=0.02, result=result)  # fmt: skip


def test_figures_are_those_of_the_results(run):
    page = Page(render(run))
    result = json.loads((run / "result.json").read_text())
    want = [result["val"]["accuracy"], 0.5, result["test"]["accuracy"], 0.4321]
    assert page.rows()["accuracy"][:4] == [show(value) for value in want]
    assert page.rows()["accuracy"][4] == "test >= 0.9: not met"
    assert page.rows()["loss"][:4] == ["0.2500", "", "0.3100", ""]
    heading = ["validation", "majority class, validation", "test", "majority class, test"]
    assert page.rows()["metric"][:4] == heading
    assert "does not beat majority class" in render(run)
    assert page.rows()["optim.lr"] == ["0.02", "0.001", "command line"]


def test_curves_are_those_of_the_metrics(run):
    content = json.loads(Page(render(run)).inside["script"][0])
    assert content["chart0"]["series"] == [
        {"name": "training", "kind": "train", "steps": [10, 20, 30], "values": [2.0, 1.0, 0.5]}
    ]


def test_an_old_result_has_no_baseline_and_an_unfinished_run_no_result(tmp_path):
    old = write_run(tmp_path / "old", 0.9, 0.8)
    assert Page(render(old)).rows()["metric"] == ["validation", "test"]
    said = render(write_run(tmp_path / "open", status=None, losses=[1.0]))
    assert "no results" in said and "unfinished" in said


def test_nothing_that_was_written_is_markup_or_runs(tmp_path):
    result = {"reason": EVIL, "command": EVIL, "environment": {EVIL: EVIL}, "commit": EVIL}
    run = write_run(tmp_path / "run", {EVIL: 0.5, "accuracy": 0.5}, 0.5, status="failed",
                    typed=[f"name={EVIL}"], model__width=EVIL, experiment=EVIL,
                    result=result | {"expect": {"val/accuracy": {"expected": EVIL}}})  # fmt: skip
    row = {"step": 1, "split": "train", EVIL: 0.5}
    (run / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    (run / "train.log").write_text(f"warning: {EVIL}\n")
    write_previews(run, {"sample-000001.txt": EVIL.encode(), "map-000001.png": png(caption=EVIL)})
    page = Page(render(run))
    assert [tag for tag, _ in page.tags].count("script") == 2
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["src"][:22] for image in images] == ["data:image/png;base64,"]
    assert images[0]["alt"] == f"map. {EVIL}"
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]


def test_the_policy_permits_its_own_script_and_style_alone(run):
    text = render(run)
    page = Page(text)
    policy = next(a["content"] for _, a in page.tags if "http-equiv" in a)
    for kind, source in (("script", page.inside["script"][1]), ("style", page.inside["style"][0])):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not [a for _, a in page.tags if "style" in a]


def test_nothing_is_loaded(run):
    write_previews(run, {"map-000001.png": png(caption="What it is")})
    page = Page(render(run))
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|import\(", "".join(page.inside["style"]))
    assert "What it is" in render(run)


def test_structure_is_for_keyboards_and_screen_readers(run):
    page = Page(render(run))
    names = [tag for tag, _ in page.tags]
    assert [names.count(tag) for tag in ("main", "header", "nav", "h1", "footer")] == [1] * 5
    assert dict(page.tags)["html"] == {"lang": "en"}
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_the_file_stays_small(run):
    """Many pictures and 20,000 rows of metrics: the largest pictures are left out, and named."""
    write_previews(run, {f"map{k}-000001.png": png(fill=90_000 + k) for k in range(30)})
    rows = [{"step": k, "split": "train", "loss": 1 / (k + 1)} for k in range(20_000)]
    rows[777]["loss"] = 55.5
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = render(run)
    assert 1_000_000 < len(text.encode()) < 2_000_000
    assert "Left out to keep this file small: map29-000001.png" in text
    page = Page(text)
    assert 55.5 in json.loads(page.inside["script"][0])["chart0"]["series"][0]["values"]
    assert "20,000 points, drawn by the smallest and largest" in text


def test_paths_of_the_machine_are_left_out(run, monkeypatch):
    monkeypatch.setenv("HOME", str(run.parent))
    (run / "train.log").write_text(f"warning: {run}/x is gone, {run.parent}/other too\n")
    said = render(run)
    assert str(run.parent) not in said
    assert "run/x is gone, ~/other too" in said


def test_the_page_is_small_whatever_the_run_left(run):
    """Texts of many samples, charts of many metrics: the largest parts are left out by name."""
    write_previews(run, {"confusion-10.png": png()} | {
        f"sample{k}-10.txt": ("&" * 16_000 + "很长的" * 1_300).encode() for k in range(24)
    })  # fmt: skip
    whole = render(run)
    assert len(whole.encode()) < 2_000_000 and "Left out to keep this file below" in whole
    assert sound(whole) and '<h2 id="curves-heading">' in whole and "0.8750" in whole
    assert "很长的" not in whole and "data:image/png" in whole
    result = json.loads((run / "result.json").read_text()) | {"reason": "x" * 3_000_000}
    (run / "result.json").write_text(json.dumps(result))
    assert len(render(run).encode()) < 2_000_000
