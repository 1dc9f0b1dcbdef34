"""Rates for parts of a model: which parameters, by how much, for every optimizer."""

import math

import pytest
import torch
from torch import nn
from toys import Masked, cloud, network, same, trainer_of, weights

from zoo.config import compose
from zoo.errors import UserError
from zoo.optim.learning_rate import LearningRate
from zoo.optim.rates import build_optimizer, check_rates
from zoo.optim.state import load_optimizer, optimizer_tensors
from zoo.registry import OPTIMIZERS, SCHEDULES
from zoo.training.lr_range import lr_range

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


class Network(nn.Module):
    """Every kind of parameter, some of them in blocks."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.position_embedding = nn.Parameter(torch.zeros(6, 4))
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3))
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position_embedding
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def model_of():
    torch.manual_seed(0)
    return Network()


def rates_of(model, optimizer):
    """Peak rates by parameter name; each parameter stands in one group."""
    names = {id(p): n for n, p in model.named_parameters()}
    pairs = [(names[id(p)], g["lr"]) for g in optimizer.param_groups for p in g["params"]]
    assert len(pairs) == len(dict(pairs)) == len(names)
    return dict(pairs)


def step(model, optimizer):
    tokens = torch.randint(5, (8, 6), generator=torch.Generator().manual_seed(0))
    model(tokens).square().mean().backward()
    optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None


@every_optimizer
def test_what_matches_is_scaled_and_nothing_else(name):
    model = model_of()
    plain = rates_of(model, build_optimizer({"name": name}, model))
    rates = {"embedding": 0.1, "blocks.[01]": 0.5, "head.bias": 3}
    actual = rates_of(model, build_optimizer({"name": name, "rates": rates}, model))
    factors = {n: actual[n] / plain[n] for n in plain}
    assert factors == pytest.approx(
        {
            "embedding.weight": 0.1, "position_embedding": 1.0,
            "blocks.0.0.weight": 0.5, "blocks.0.0.bias": 0.5,
            "blocks.1.0.weight": 0.5, "blocks.1.0.bias": 0.5,
            "blocks.2.0.weight": 1.0, "blocks.2.0.bias": 1.0,
            "head.weight": 1.0, "head.bias": 3.0,
        }
    )  # fmt: skip


@every_optimizer
def test_other_settings_of_the_groups_stay(name):
    model = model_of()
    config = {"name": name, "weight_decay": 0.25, "rates": {"*.0": 0.5, "head": 2}}
    optimizer = build_optimizer(config, model)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    for label, p in model.named_parameters():
        assert decay[id(p)] == (0.25 if p.ndim >= 2 else 0.0), label


@every_optimizer
def test_a_step_is_longer_by_the_factor(name):
    """As with the rate itself; to the bit where a factor of one or none is given."""
    ends = {}
    for factor in (None, 1.0, 2.0):
        model = model_of()
        before = weights(model)
        rates = {} if factor is None else {"head": factor}
        config = {"name": name, "weight_decay": 0.0, "rates": rates}
        step(model, build_optimizer(config, model))
        ends[factor] = {n: t - before[n] for n, t in model.state_dict().items()}
    assert same(ends[None], ends[1.0])
    for label, moved in ends[2.0].items():
        expected = ends[None][label] * (2 if label.startswith("head") else 1)
        assert torch.allclose(moved, expected, rtol=1e-4, atol=1e-7), label


@every_optimizer
def test_a_checkpoint_resumes_bit_for_bit_and_loads_without_the_rates(name):
    config = {"name": name, "rates": {"blocks": 0.5, "embedding": 0.1}}
    whole, first = model_of(), model_of()
    optimizers = build_optimizer(config, whole), build_optimizer(config, first)
    for model, optimizer in zip((whole, first), optimizers):
        step(model, optimizer)
    names = {id(p): n for n, p in first.named_parameters()}
    saved = {n: t.clone() for n, t in optimizer_tensors(optimizers[1], names).items()}
    for rates in (config["rates"], {}):
        second = model_of()
        second.load_state_dict(first.state_dict())
        optimizer = build_optimizer(config | {"rates": rates}, second)
        names = {id(p): n for n, p in second.named_parameters()}
        load_optimizer(optimizer, names, saved)
        assert same(optimizer_tensors(optimizer, names), saved)
        step(second, optimizer)
        if rates:
            step(whole, optimizers[0])
            assert same(weights(second), weights(whole))


def test_the_schedule_multiplies_what_the_factors_left(tmp_path):
    class Half:
        def factor(self, progress):
            return 0.5

    model = model_of()
    optimizer = build_optimizer({"name": "sgd", "lr": 0.2, "rates": {"head": 10}}, model)
    rate = LearningRate(optimizer, Half())
    rate.set(0.3)
    assert rate.now == pytest.approx(0.1)  # as reported: of what has no factor
    actual = rates_of(model, optimizer)
    assert actual["head.weight"] == pytest.approx(1.0) and actual["embedding.weight"] == rate.now


def test_training_takes_them(tmp_path):
    ends = []
    for rates in ({}, {"*": 0.5}):
        optim = {"name": "adamw", "lr": 0.01 if rates else 0.005, "rates": rates}
        trainer = trainer_of(tmp_path, cloud(), network(), Masked(), optim=optim)
        trainer.fit()
        ends.append(weights(trainer.model))
    assert same(*ends)


def test_a_dotted_pattern_may_be_typed_as_one():
    optim = compose.load(["data=rain", "optim.rates.blocks.0=0.5", "optim.rates.blocks.2=4"]).optim
    assert check_rates(optim) == {"blocks.0": 0.5, "blocks.2": 4.0}


def test_a_range_test_measures_the_rate_itself_where_the_first_group_has_a_factor(tmp_path):
    """Its curve is over `optim.lr`; a factor on every parameter must shift it."""
    curves = {}
    for factor in (1.0, 4.0):
        optim = {"name": "sgd", "lr": 0.1, "rates": {"*": factor}}
        trainer = trainer_of(tmp_path / str(factor), cloud(), network(), Masked(), optim=optim)
        curves[factor] = lr_range(trainer, 0.01 / factor, 0.1 / factor, 4)
    for (plain, loss), (scaled, same_loss) in zip(curves[1.0], curves[4.0], strict=True):
        assert (4 * scaled, same_loss) == pytest.approx((plain, loss))


def test_the_rate_that_is_reported_has_no_factor():
    optimizer = build_optimizer({"name": "sgd", "lr": 0.2, "rates": {"*": 10}}, model_of())
    rate = LearningRate(optimizer, SCHEDULES.build({"name": "linear"}))
    rate.set(0.5)
    assert rate.now == pytest.approx(0.1)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1.0, 1.0])


def test_tied_weights_match_by_either_name():
    model = model_of()
    model.tied = nn.Linear(4, 5, bias=False)
    model.tied.weight = model.embedding.weight
    optimizer = build_optimizer({"name": "sgd", "lr": 1.0, "rates": {"tied": 0.5}}, model)
    assert rates_of(model, optimizer)["embedding.weight"] == 0.5


def test_an_optimizer_that_knows_nothing_of_it(tmp_path):
    """A plugin's builder takes the model and gives torch's own."""

    def builder(model: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
        return torch.optim.NAdam(model.parameters(), lr)

    OPTIMIZERS.names()
    OPTIMIZERS.register("of_a_plugin")(builder)
    try:
        model = model_of()
        optimizer = build_optimizer({"name": "of_a_plugin", "rates": {"head": 2}}, model)
        assert sorted(set(rates_of(model, optimizer).values())) == [0.1, 0.2]
    finally:
        del OPTIMIZERS._entries["of_a_plugin"]


# ------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({"embeding": 2}, "'embeding' matches no trained parameter; did you mean 'embedding'.*"
         r"\(it could match: embedding, blocks, head\)"),
        ({"embedding": 2, "nothing": 1}, "'nothing' matches no trained parameter"),
        ({"bedding": 2}, "'bedding' matches no"),  # whole parts of names alone
        ({"blocks": 2, "bias": 3}, "'blocks' and 'bias' both match blocks.0.0.bias"),
        ({"head": 0}, r"optim.rates.head: got 0 \(int\), expected a number above 0"),
        ({"head": -1.0}, "optim.rates.head: got -1.0"),
        ({"head": "fast"}, "optim.rates.head: got 'fast'"),
        ({"head": True}, "optim.rates.head: got True"),
        ({"head": None}, "optim.rates.head: got null"),
        ({"head": math.inf}, "optim.rates.head: got inf"),
        ({"head": {"weight": -2}}, "optim.rates.head.weight: got -2"),
        ({"head": {}}, "optim.rates.head: got {}"),
        ([1.0], "optim.rates: got .* expected {name: factor}"),
    ],
)  # fmt: skip
def test_mistakes(rates, said):
    with pytest.raises(UserError, match=said):
        build_optimizer({"name": "adamw", "rates": rates}, model_of())


def test_what_is_frozen_has_no_rate():
    model = model_of()
    model.head.requires_grad_(False)
    with pytest.raises(UserError, match="'head' matches no trained parameter"):
        build_optimizer({"name": "sgd", "rates": {"head": 2}}, model)


def test_runs_made_before_have_none():
    assert check_rates({"name": "adamw", "lr": 1e-3}) == check_rates({"rates": None}) == {}


# --------------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["optim.rates={embedding:0.1,head:2}"], {"embedding": 0.1, "head": 2}),
        (["optim.rates={embedding: 0.1}"], {"embedding": 0.1}),
        (["optim.rates={blocks.0: 0.1}"], {"blocks.0": 0.1}),
        (["optim.rates.head=2"], {"head": 2}),
        (["+optim.rates.head=2"], {"head": 2}),
        (["++optim.rates.head=2", "optim=muon"], {"head": 2}),
        (["optim.rates={head:2}", "optim.rates.embedding=3"], {"head": 2, "embedding": 3}),
        ([], {}),
    ],
)
@pytest.mark.parametrize("optim", OPTIMIZERS.names())
def test_they_are_typed_so(typed, expected, optim):
    choice = [] if any(one.startswith("optim=") for one in typed) else [f"optim={optim}"]
    assert compose.load([*choice, *typed]).optim["rates"] == expected
