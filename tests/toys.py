"""Small stand-ins: data, tasks and models whose right answers are known."""

from dataclasses import dataclass, field

import torch
from torch import nn

from zoo.build import make_budget
from zoo.data.dataset import Dataset, TensorSource
from zoo.optim.rates import build_optimizer
from zoo.registry import MODELS, SCHEDULES
from zoo.runs.directory import RunDirectory
from zoo.tasks.base import StepOutput
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.loader import Loader
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, seed_everything
from zoo.training.trainer import Trainer

CPU = torch.device("cpu")
HERE = Runtime(CPU)


class Plain:
    """An encoding that changes nothing."""

    kind = "plain"
    holds = "plain numbers"
    tokenizer = None
    runtime_facts = {}

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

    def preview(self, model, batch, means, writer):
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


class Mixed(nn.Module):
    """Every kind of parameter: embedding, matrix, convolution, norm, biases, head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.hidden = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.conv = nn.Conv1d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        x = self.norm(torch.tanh(self.hidden(self.embedding(tokens))))
        return self.head(self.conv(x.transpose(1, 2)).transpose(1, 2))


def mixed():
    torch.manual_seed(0)
    return Mixed()


def optimizer_step(model, optimizer, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, (8, 6), generator=generator)
    model(tokens).square().mean().backward()
    optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None


def trainer_of(folder, dataset, model, task, batch_size=8, seed=0, runtime=HERE, run=None, **given):
    """A trainer without a config. `optim`, `schedule` are configs, the rest is `trainer.*`."""
    optim = given.pop("optim", {"name": "sgd", "lr": 0.05, "weight_decay": 0.0})
    schedule = given.pop("schedule", {"name": "constant"})
    defaults = {"max_steps": 6, "save_minutes": None, "precision": "fp32", "eval_steps": 10**6}
    options = TrainerConfig(**defaults | {"log_steps": 1} | given)
    loader = Loader(dataset, batch_size, seed, runtime, options.accumulate, 0, options.overfit)
    built = Trainer(
        model=model,
        task=task,
        loader=loader,
        optimizer=build_optimizer(optim, model),
        schedule=SCHEDULES.build(schedule),
        config=options,
        budget=make_budget(options, loader),
        runtime=runtime,
        precision=Precision(options.precision, runtime.device),
        console=Console(False),
        run=run or RunDirectory.create(folder, "toy"),
        data_sha256=dataset.sha256,
    )
    seed_everything(seed, runtime.rank)
    return built


def linear(features=4, outputs=1, seed=0):
    """A linear model, the same for the same seed."""
    torch.manual_seed(seed)
    return nn.Linear(features, outputs)


def network(features=4, outputs=1, dropout=0.0, norm="none", seed=0):
    """A small MLP, the same for the same seed."""
    torch.manual_seed(seed)
    return MODELS.build(
        {"name": "mlp", "width": 8, "depth": 2, "dropout": dropout, "norm": norm},
        input_shape=(features,),
        num_outputs=outputs,
    )


def weights(model):
    """All of a model's tensors, copied."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    """Whether two dictionaries of tensors are bit-identical."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
