"""The notebooks: every cell runs, and what the files show is what the cells give."""

import json

import pytest
from small_runs import small_runs
from test_every_experiment import few_files

from docs.tools import notebook

NOTEBOOKS = sorted(notebook.NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_shows_what_the_file_has(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr("zoo.data.datasets.pydoc.sources", few_files)  # quicker to read than all
    small_runs(monkeypatch, tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    kept = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    shown = [kinds(cell) for cell in kept]
    assert [cell["execution_count"] for cell in kept] == list(range(1, len(kept) + 1))
    assert any("image/png" in cell for cell in shown) and any("text/html" in cell for cell in shown)
    notebook.execute(content["cells"], {})
    assert [kinds(cell) for cell in kept] == shown


def kinds(cell):
    """The forms of a cell's outputs."""
    return sorted(form for one in cell["outputs"] for form in one.get("data", {"stdout": ""}))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_file_is_one_that_jupyter_opens(path):
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    assert len(text) < 500_000 and (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for place in ("/tmp", "/home", "/root", "/work", "Traceback"):
        assert place not in text, place


def test_a_cell_shows_what_jupyter_does():
    names = {}
    assert notebook.run_cell("x = 2", names, 1) == []
    printed, value = notebook.run_cell("print(x)\nx + 1", names, 2)
    assert printed["text"] == ["2\n"] and value["data"] == {"text/plain": ["3"]}
    assert notebook.run_cell("x;", names, 3) == [] == notebook.run_cell("None", names, 4)
    (rich,) = notebook.run_cell("import zoo.rows\nzoo.rows.Rows([{'a': 1}])", names, 5)
    assert "<td>1</td>" in "".join(rich["data"]["text/html"])
    with pytest.raises(ZeroDivisionError):
        notebook.run_cell("1 / 0", names, 6)
