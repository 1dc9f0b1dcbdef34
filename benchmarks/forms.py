"""Forms of language models at equal cost: what each modern part buys on the same data.

All forms read the same characters in the same order and compute as many floating-point operations
for each of them, within 3 %, so that they differ in what their names say. The settings of
optimizer and schedule are those of gpt_shakespeare, in 800 of its 2,000 steps; the rate of
the matrices is the best of RATES for each form, by the first seed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.forms_table import with_tables
from zoo.files import write_text
from zoo.runs.records import Record, read_runs

ROOT = Path(__file__).resolve().parents[1]
FILE, PAGE = ROOT / "benchmarks" / "results" / "forms.json", ROOT / "docs" / "language.md"
FOLDER = Path("outputs") / "forms"
SEEDS = (1, 2, 3)
RATES = (0.02, 0.01, 0.04)
COMMON = (
    "task=causal_lm", "data=shakespeare", "data.batch_size=12", "optim=muon",
    "optim.weight_decay=0", "optim.adam_lr=0.01", "optim.embedding_lr=0.05", "optim.head_lr=0.005",
    "optim.adam_betas=[0.8,0.95]", "schedule=wsd", "schedule.warmup=0.01", "schedule.decay=0.6",
    "schedule.final=0.02", "trainer.max_steps=800", "trainer.eval_steps=400",
    "trainer.precision=fp32",
)  # fmt: skip
SIZE = ("model.width=128", "model.depth=4", "model.heads=4", "model.init=zero")
EXPERTS = "{experts:8,active:2,shared:1,inner:112,score:sigmoid,balance_rate:0.005}"


@dataclass(frozen=True)
class Form:
    """What a form is called in the table, and the settings that make it."""

    label: str
    overrides: tuple[str, ...]


FORMS = {
    "gpt2": Form(
        "GPT-2: learned positions, LayerNorm, GELU", ("model=gpt", *SIZE, "model.tie=false")
    ),
    "llama": Form("Llama: rotary positions, RMSNorm, SwiGLU", ("model=llama", *SIZE)),
    "mixture": Form(
        "Llama, 2 of 8 experts and a shared one",
        ("model=llama", *SIZE, f"model.mixture={EXPERTS}"),
    ),
    "latent": Form(
        "Llama with latent attention (MLA)",
        ("model=deepseek", *SIZE, "model.mixture=null", "model.inner=392", "model.latent=32",
         "model.head_width=16", "model.rotary_width=16", "model.value_width=32"),
    ),
    "mamba": Form("Mamba", ("model=mamba", "model.width=126", "model.depth=7", "model.tie=false")),
    "lstm": Form("LSTM", ("model=rnn", "model.width=230", "model.depth=2", "model.tie=false")),
}  # fmt: skip


def command(name: str, rate: float) -> list[str]:
    """The settings of a form's runs, but for the seed: arguments of train.py."""
    return [*FORMS[name].overrides, *COMMON, f"optim.lr={rate}", f"name={name}"]


def forms_runs(overrides: list[str]) -> None:
    """Train every form with three seeds, at the best of the rates for its first seed; write the
    figures, and the tables of docs/language.md. An hour and a half on one core."""
    for name in FORMS:
        _train(name, RATES, SEEDS[:1], overrides)
        losses = _by_rate(FOLDER, name, "val/loss")
        best = min(RATES, key=lambda rate: losses[rate][SEEDS[0]])
        _train(name, [best], SEEDS[1:], overrides)
    write_figures(FOLDER)


def _train(name: str, rates: Sequence[float], seeds: Sequence[int], overrides: list[str]) -> None:
    for rate in rates:
        settings = [*command(name, rate), f"output_dir={FOLDER}", *overrides]
        for seed in seeds:
            run = [sys.executable, "train.py", *settings, f"seed={seed}"]
            subprocess.run(run, check=True)


def write_figures(folder: Path) -> None:
    """Take over the figures of finished runs; those of other seeds at the same rate stay."""
    content = read()
    for name in FORMS:
        losses, row = _by_rate(folder, name, "val/loss"), content.setdefault(name, {})
        tried = row.get("tried", {}) | {
            str(rate): of_rate[SEEDS[0]] for rate, of_rate in losses.items() if SEEDS[0] in of_rate
        }
        if not tried:
            continue
        rate = float(min(tried, key=tried.__getitem__))
        if row.get("rate") != rate:
            row["loss"], row["least_expert"] = {}, {}
        row["tried"], row["rate"] = dict(sorted(tried.items())), rate
        busy = _by_rate(folder, name, "val/least_expert")
        for figure, found in (("loss", losses), ("least_expert", busy)):
            new = {str(seed): value for seed, value in found.get(rate, {}).items()}
            row[figure] = dict(sorted((row[figure] | new).items()))
    renew(content)


def _by_rate(folder: Path, name: str, metric: str) -> dict[float, dict[int, float]]:
    """A metric of a form's runs by rate and seed."""
    found: dict[float, dict[int, float]] = {}
    for run in _runs(folder, name):
        if metric in run.metrics:
            of_rate = found.setdefault(run.settings["optim.lr"], {})
            of_rate[run.settings["seed"]] = run.metrics[metric]
    return found


def _runs(folder: Path, name: str) -> list[Record]:
    runs = read_runs([folder / name])[0] if (folder / name).is_dir() else []
    return [run for run in runs if run.status == "done"]


def read() -> dict[str, Any]:
    """The figures by form, as far as they were measured."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}


def renew(content: dict[str, Any]) -> None:
    """Write the figures, and the tables of them."""
    write_text(FILE, json.dumps(content, indent=1) + "\n")
    labels = {name: form.label for name, form in FORMS.items()}
    write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8"), content, labels))
