"""Small stand-ins: data, tasks and models whose right answers are known."""

from dataclasses import dataclass, field

import torch
from torch import nn

from zoo.data.base import Dataset, TensorSource
from zoo.tasks.base import StepOutput
from zoo.training.runtime import Runtime

CPU = torch.device("cpu")
HERE = Runtime(CPU)


class Plain:
    """An encoding that changes nothing."""

    def to_json(self):
        return {"kind": "plain"}

    def prepare(self, batch):
        return batch

    def read(self, path):
        raise NotImplementedError


class Slow:
    """The samples of a TensorSource, one by one, as images from a disk would come."""

    def __init__(self, source):
        self.source = source

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        return self.source[index]


def numbered(train=10, val=4, test=3, wrap=lambda source: source, augment=None):
    """Samples whose input is their own number."""
    sizes = {"train": train, "val": val, "test": test}
    columns = {
        name: {"input": torch.arange(n).float()[:, None], "target": torch.arange(n)}
        for name, n in sizes.items()
    }
    splits = {name: wrap(TensorSource(c)) for name, c in columns.items()}
    facts = {"input_shape": (1,), "num_outputs": 1}
    return Dataset(facts, splits, Plain(), "0" * 64, augment)


def cloud(train=64, val=32, test=32, features=4, outputs=1, seed=0):
    """Gaussian inputs, targets from a fixed linear map; `weight` says which predictions count."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(features, outputs, generator=generator)
    splits = {}
    for name, n in {"train": train, "val": val, "test": test}.items():
        x = torch.randn(n, features, generator=generator)
        weight = (torch.rand(n, outputs, generator=generator) < 0.5).float()
        splits[name] = TensorSource({"input": x, "target": x @ truth, "weight": weight})
    facts = {"input_shape": (features,), "num_outputs": outputs}
    return Dataset(facts, splits, Plain(), "0" * 64)


@dataclass
class Masked:
    """Squared error over the predictions that `weight` marks: counts differ between batches."""

    monitor: str = "-loss"
    seen: list = field(default_factory=list)

    def step(self, model, batch):
        error = (model(batch["input"]) - batch["target"]).square() * batch["weight"]
        self.seen.append(batch["input"].detach())
        return StepOutput(error.sum(), batch["weight"].sum(), {})

    def summarize(self, means):
        return {"loss": float(means["loss"])}

    def details(self, means):
        return {}

    def preview(self, model, batch, means, pictures):
        pass

    def predict(self, model, batch):
        yield from ()


class Tied(nn.Module):
    """Two names for one weight, as an embedding and its output layer."""

    def __init__(self, width=6):
        super().__init__()
        self.inner = nn.Linear(width, width, bias=False)
        self.outer = nn.Linear(width, width, bias=False)
        self.outer.weight = self.inner.weight
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.outer(torch.tanh(self.inner(x))))
