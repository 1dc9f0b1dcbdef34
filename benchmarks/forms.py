"""Forms of language models at equal cost: what each modern part buys on the same data.

All forms read the same tokens in the same order and compute as many floating-point operations
for each of them, within 3 %, so that they differ in what their names say. There are two texts,
with the optimizer and schedule of their recipes: gpt_shakespeare, in 800 of its 2,000 steps, and
gpt_stdlib, in 500 of its 1,500. The rate of the matrices is the best of those tried for each
form, by the first seed.
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
LABELS = {
    "gpt2": "GPT-2: learned positions, LayerNorm, GELU",
    "llama": "Llama: rotary positions, RMSNorm, SwiGLU",
    "mixture": "Llama, 2 of 8 experts and a shared one",
    "latent": "Llama with latent attention (MLA)",
    "mamba": "Mamba",
    "lstm": "LSTM",
}
COMMON = (
    "task=causal_lm", "optim=muon", "optim.weight_decay=0", "optim.adam_lr=0.01",
    "optim.embedding_lr=0.05", "optim.head_lr=0.005", "optim.adam_betas=[0.8,0.95]", "schedule=wsd",
    "schedule.warmup=0.01", "schedule.decay=0.6", "schedule.final=0.02",
)  # fmt: skip
EXPERTS = "{{experts:8,active:2,shared:1,inner:{inner},score:sigmoid,balance_rate:0.005}}"


@dataclass(frozen=True)
class Budget:
    """A text, how long it is trained on, and the sizes of equal cost of the forms.

    Args:
        metric, unit: By which forms are compared.
        vocabulary, context: V and T of the models.
        rates: Of Muon, tried with the first seed.
        common: Settings of all runs, besides COMMON.
        sizes: The settings of each form.
    """

    metric: str
    unit: str
    vocabulary: int
    context: int
    rates: tuple[float, ...]
    common: tuple[str, ...]
    sizes: dict[str, tuple[str, ...]]


def _transformers(width: int, expert: int, latent: int, inner: int) -> dict[str, tuple[str, ...]]:
    """The settings of the forms with attention, of four layers and four heads.

    Args:
        width: D.
        expert: Inner width of an expert.
        latent: What latent attention keeps of keys and values; the other sizes are as usual.
        inner: Inner width of the feed-forward layers beside latent attention.
    """
    size = (f"model.width={width}", "model.depth=4", "model.heads=4", "model.init=zero")
    half = latent // 2
    return {
        "gpt2": ("model=gpt", *size, "model.tie=false"),
        "llama": ("model=llama", *size),
        "mixture": ("model=llama", *size, f"model.mixture={EXPERTS.format(inner=expert)}"),
        "latent": (
            "model=deepseek", *size, "model.mixture=null", f"model.inner={inner}",
            f"model.latent={latent}", f"model.head_width={half}", f"model.rotary_width={half}",
            f"model.value_width={latent}",
        ),
    }  # fmt: skip


BUDGETS = {
    "shakespeare": Budget(
        metric="val/loss",
        unit="nats a character",
        vocabulary=65,
        context=64,
        rates=(0.02, 0.01, 0.04),
        common=(
            "data=shakespeare", "data.batch_size=12", "trainer.max_steps=800",
            "trainer.eval_steps=400", "trainer.precision=fp32",
        ),
        sizes={
            **_transformers(width=128, expert=112, latent=32, inner=392),
            "mamba": ("model=mamba", "model.width=126", "model.depth=7", "model.tie=false"),
            "lstm": ("model=rnn", "model.width=230", "model.depth=2", "model.tie=false"),
        },
    ),
    "stdlib": Budget(
        metric="val/bits_per_byte",
        unit="bits a byte",
        vocabulary=4096,
        context=256,
        rates=(0.02,),
        common=(
            "data=stdlib", "data.block_size=256", "data.batch_size=16", "data.tokenizer=bpe",
            "data.vocab_size=4096", "trainer.max_steps=500", "trainer.eval_steps=250",
            "trainer.precision=bf16",
        ),
        sizes={
            **_transformers(width=256, expert=224, latent=64, inner=784),
            "mamba": ("model=mamba", "model.width=256", "model.depth=8", "model.tie=false"),
            "lstm": ("model=rnn", "model.width=430", "model.depth=2", "model.tie=false"),
        },
    ),
}  # fmt: skip


def settings(budget: str, form: str) -> tuple[str, ...]:
    """What makes a form: arguments of train.py without rate, name and seed."""
    text = BUDGETS[budget]
    return *text.sizes[form], *COMMON, *text.common


def command(budget: str, form: str, rate: float) -> list[str]:
    """The settings of a form's runs, but for the seed: arguments of train.py."""
    return [*settings(budget, form), f"optim.lr={rate}", f"name={form}"]


def forms_runs(overrides: list[str]) -> None:
    """Train every form with three seeds, at the best of the rates for its first seed; write the
    figures, and the tables of docs/language.md. Hours on one core."""
    for budget, text in BUDGETS.items():
        for form in LABELS:
            _train(budget, form, text.rates, SEEDS[:1], overrides)
            losses = _by_rate(FOLDER / budget, form, text.metric)
            best = min(text.rates, key=lambda rate: losses[rate][SEEDS[0]])
            _train(budget, form, [best], SEEDS[1:], overrides)
    write_figures(FOLDER)


def _train(
    budget: str, form: str, rates: Sequence[float], seeds: Sequence[int], overrides: list[str]
) -> None:
    for rate in rates:
        run = [*command(budget, form, rate), f"output_dir={FOLDER / budget}", *overrides]
        for seed in seeds:
            subprocess.run([sys.executable, "train.py", *run, f"seed={seed}"], check=True)


def write_figures(folder: Path) -> None:
    """Take over the figures of finished runs; those of other seeds at the same rate stay."""
    content = read()
    for budget, text in BUDGETS.items():
        rows = content.setdefault(budget, {})
        for form in LABELS:
            _write_row(rows.setdefault(form, {}), folder / budget, form, text.metric)
    renew(content)


def _write_row(row: dict[str, Any], folder: Path, form: str, metric: str) -> None:
    losses = _by_rate(folder, form, metric)
    tried = row.get("tried", {}) | {
        str(rate): of_rate[SEEDS[0]] for rate, of_rate in losses.items() if SEEDS[0] in of_rate
    }
    if not tried:
        return
    rate = float(min(tried, key=tried.__getitem__))
    if row.get("rate") != rate:
        row["loss"], row["least_expert"] = {}, {}
    row["tried"], row["rate"] = dict(sorted(tried.items())), rate
    busy = _by_rate(folder, form, "val/least_expert")
    for figure, found in (("loss", losses), ("least_expert", busy)):
        new = {str(seed): value for seed, value in found.get(rate, {}).items()}
        row[figure] = dict(sorted((row[figure] | new).items()))


def _by_rate(folder: Path, form: str, metric: str) -> dict[float, dict[int, float]]:
    """A metric of a form's runs by rate and seed."""
    found: dict[float, dict[int, float]] = {}
    for run in _runs(folder, form):
        if metric in run.metrics:
            of_rate = found.setdefault(run.settings["optim.lr"], {})
            of_rate[run.settings["seed"]] = run.metrics[metric]
    return found


def _runs(folder: Path, form: str) -> list[Record]:
    runs = read_runs([folder / form])[0] if (folder / form).is_dir() else []
    return [run for run in runs if run.status == "done"]


def read() -> dict[str, Any]:
    """The figures by text and form, as far as they were measured."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}


def renew(content: dict[str, Any]) -> None:
    """Write the figures, and the tables of them."""
    write_text(FILE, json.dumps(content, indent=1) + "\n")
    page, units = PAGE.read_text(encoding="utf-8"), {n: b.unit for n, b in BUDGETS.items()}
    write_text(PAGE, with_tables(page, content, LABELS, units))
