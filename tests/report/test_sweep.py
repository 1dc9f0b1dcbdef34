"""The report of a sweep says what `compare` says."""

import json
import re
from html.parser import HTMLParser

import pytest
from support import write_run

from zoo.compare.main import main as compare
from zoo.report import page
from zoo.report.sweep import render
from zoo.report.write import write_sweep


class Rows(HTMLParser):
    """Rows of tables as (cell, exact value), links, and the JSON for the script."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.links, self.open, self.json, self.text = [], [], "", "", text
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.open = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append(["", attributes.get("data-value")])
        if tag == "a":
            self.links.append(attributes["href"])

    def handle_data(self, text):
        if self.open in ("th", "td", "button") and self.rows and self.rows[-1]:
            self.rows[-1][-1][0] += text
        if self.open == "script" and not self.json:
            self.json = text

    def handle_endtag(self, tag):
        self.open = ""


@pytest.fixture
def sweep(tmp_path):
    """Three rates and two widths, two seeds each; one that failed."""
    folder = tmp_path / "toy" / "sweep"
    for k, (lr, width, seed) in enumerate(
        (lr, width, seed) for lr in (0.1, 0.01, 0.001) for width in (8, 16) for seed in (0, 1)
    ):
        score = 0.5 + 0.4 * lr + 0.01 * width + 0.003 * seed + 0.001 * (k % 3)
        typed = [f"optim.lr={lr}", f"model.width={width}", f"seed={seed}"]
        write_run(folder / f"lr={lr},w={width},s={seed}", score, score / 2, seed=seed, optim__lr=lr,
                  model__width=width, typed=typed, losses=[2.0, 1.0 + lr])  # fmt: skip
    bad = {"reason": "loss is nan | at <step> 7"}
    write_run(folder / "bad", status="failed", optim__lr=99.0, result=bad)
    return folder


def test_a_sweep_without_a_finite_score_has_no_best_one(tmp_path):
    for k in (0, 1):
        write_run(tmp_path / "s" / str(k), {"accuracy": None}, seed=k, typed=[f"seed={k}"])
    text = render(tmp_path / "s")
    assert "none is finite" in text and "mean ± deviation of 2 runs" not in text


def said_by_compare(sweep, capsys):
    assert compare([str(sweep), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_are_those_of_compare(sweep, capsys):
    page = Rows(render(sweep))
    content = said_by_compare(sweep, capsys)["tables"][0]
    heading = [cell for cell, _ in page.rows[0]]
    column = {name: k for k, name in enumerate(heading)}
    assert len(content["groups"]) == 6
    for row, group in zip(page.rows[1:7], content["groups"], strict=True):
        assert row[0][0] == str(group["place"])
        for name in ("val/accuracy", "test/accuracy"):
            figures = group["figures"][name]
            assert float(row[column[name]][1]) == figures["mean"]
            shown = f"{figures['mean']:.4f} ± {figures['deviation']:.4f}"
            assert row[column[name]][0] == shown
        assert float(row[column["lr"]][0]) == group["settings"]["optim.lr"]
    axes = json.loads(page.json)["parallel"]["axes"]
    assert axes[-1]["values"] == [g["figures"]["val/accuracy"]["mean"] for g in content["groups"]]


def test_the_decision_and_the_reasons_are_those_of_compare(sweep, capsys):
    content = said_by_compare(sweep, capsys)["tables"][0]
    page = Rows(render(sweep)).text
    sentences = [*content["verdict"]["text"], *content["won_because"]]
    assert len(sentences) >= 2
    for sentence in sentences:
        assert sentence[1:].replace("'", "&#x27;").replace("<", "&lt;") in page


def test_every_run_has_a_report_that_is_linked_to(sweep):
    path = write_sweep(sweep)
    page = Rows(path.read_text())
    links = [link for link in page.links if not link.startswith("#")]
    assert len(links) == 12 and all(link.startswith("./") for link in links)
    assert "./lr%3D0.1%2Cw%3D8%2Cs%3D0/report.html" in links
    assert len(list(sweep.glob("*/report.html"))) == 13


def test_failed_runs_are_listed_with_the_reason_escaped(sweep):
    text = render(sweep)
    assert "1 failed" in text and "loss is nan | at &lt;step&gt; 7" in text
    assert str(sweep) not in text


def test_ranges_can_be_set_from_the_keyboard(sweep):
    text = render(sweep)
    assert 'aria-label="lr, at least"' in text and 'aria-label="val/accuracy, at most"' in text
    assert 'aria-sort="ascending"' in text and 'role="status"' in text


def test_a_sweep_without_results_has_a_report(tmp_path):
    write_run(tmp_path / "toy" / "a", status="failed", result={"reason": "no luck"})
    assert "no luck" in render(tmp_path / "toy")


def test_several_tables_have_names_of_their_own(sweep):
    write_run(sweep / "other", 0.5, 0.5, experiment="other")
    text = render(sweep)
    for id_ in ("results-0", "results-1", "ranking-1"):
        assert text.count(f'id="{id_}"') == 1


def test_a_large_sweep_stays_small(tmp_path):
    folder = tmp_path / "toy" / "sweep"
    row = '{"step": 1, "split": "val", "accuracy": 0.5}\n'
    for k in range(60):
        run = write_run(folder / f"r{k}", 0.5 + k / 1000, 0.5, optim__lr=0.01 + k / 1e4, seed=0,
                        typed=[f"optim.lr={0.01 + k / 1e4}"])  # fmt: skip
        (run / "metrics.jsonl").write_text(row)
    text = render(folder)
    assert len(text.encode()) < 300_000 and text.count('data-line="') == 120
    assert "30 of the 50 others" in text


def test_a_folder_of_many_recipes_stays_small(sweep, monkeypatch):
    whole = render(sweep)
    monkeypatch.setattr(page.fitted, "__defaults__", (len(whole) - 5_000,))
    cut = render(sweep)
    assert len(cut.encode()) <= len(whole) - 5_000 and "Left out to keep" in cut
    ids = set(re.findall(r' id="([^"]+)"', cut))
    assert json.loads(re.search(r'id="data">(.*?)</script>', cut)[1]).keys() <= ids
