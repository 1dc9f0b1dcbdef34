"""Exports for tests: made by the command line, used by a process without Zoo."""

import json
import subprocess
import sys
from pathlib import Path

from zoo.commands.export import main as export
from zoo.commands.predict import main as predict

GREEDY = {"causal_lm": ("temperature=0", "max_tokens=20"), "seq2seq": ("beam=1",)}
GREEDY["infilling"] = GREEDY["seq2seq"]
GREEDY["reinforce"] = ("samples=0", "max_tokens=20")


def exported(run, form, out, capsys):
    """What the command said, and whether it made the folder."""
    capsys.readouterr()
    code = export([f"run={run}", f"format={form}", f"out={out}"])
    said = capsys.readouterr()
    assert code in (0, 2) and "Traceback" not in said.err, said.err
    assert (code == 0) == out.exists()
    return said.out if code == 0 else said.err


def read_by_others(jobs, folder):
    """The answers to jobs (a folder, inputs, perhaps code that defines `check`): lists, or the
    error's text."""
    rows = [dict(folder=str(out), inputs=i, check="".join(code)) for out, i, *code in jobs]
    (folder / "jobs.json").write_text(json.dumps(rows))
    script = Path(__file__).with_name("foreign_reader.py")
    files = [folder / "jobs.json", folder / "answers.json"]
    done = subprocess.run([sys.executable, "-I", script, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    given = json.loads((folder / "answers.json").read_text())
    return [one.get("answers", one.get("error")) for one in given]


def predicted(run, task, raw, capsys):
    """The rows of `scripts/predict.py`."""
    if isinstance(raw, dict):
        table, raw = raw, run.parent / "row.csv"
        lines = [",".join(f'"{cell}"' for cell in row) for row in (table, table.values())]
        raw.write_text("\n".join(lines))
    capsys.readouterr()
    code = predict([f"run={run}", f"input={raw}", "json=true", *GREEDY.get(task, ())])
    said = capsys.readouterr()
    assert code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]
