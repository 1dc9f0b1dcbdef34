"""Tables for tests: columns, and CSV files."""

import random

import torch
from contexts import build_dataset, context

from zoo.data.splits import Split
from zoo.data.tables.dataset import table_dataset

NAN = float("nan")


def small(n=40, seed=0, shift=0.0):
    """A table with numbers, gaps and texts; target of three classes."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randn(n, generator=generator).double() * 5 + 100 + shift
    age = torch.randn(n, generator=generator).double()
    age[::4] = NAN
    colour = [("red", "green", None)[i % 3] for i in range(n)]
    return {"size": size, "age": age, "colour": colour}, torch.arange(n) % 3


def build(raw, target, classes=("a", "b", "c"), **options):
    return table_dataset(raw, target, "kind", classes, context(Split(0.2, 0.2), **options))


def build_csv(path, split, target="class", encoding=None, **options):
    options = {"name": "csv", "path": path, "target": target, **options}
    return build_dataset(options, split=split, encoding=encoding)


def csv_text(n=60, header="id,age,city,income,class", seed=0):
    r = random.Random(seed)
    lines = [header]
    for i in range(n):
        age = "" if i % 7 == 3 else str(r.randrange(20, 70))
        cells = [str(i), age, r.choice(["Rome", "Oslo", "New York"]), f"{r.random():.3f}"]
        lines.append(",".join([*cells, "yes" if i % 3 else "no"]))
    return "\n".join(lines) + "\n"
