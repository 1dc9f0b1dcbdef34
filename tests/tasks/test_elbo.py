"""The bound, the likelihood it bounds, and how both repeat."""

import math

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.models.vae import VAE
from zoo.tasks.elbo import Elbo
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

SHAPE = (1, 2, 2)
CPU = torch.device("cpu")


class Linear(nn.Module):
    """White where the code says so; the posterior is a fixed one."""

    def __init__(self, latent=2):
        super().__init__()
        self.latent = latent
        torch.manual_seed(0)
        self.encoder, self.decoder = nn.Linear(4, 2 * latent), nn.Linear(latent, 4)
        with torch.no_grad():  # codes as wide as the prior's, so that none is worth very much
            self.encoder.weight[latent:] = 0.0
            self.encoder.bias[latent:] = 0.1

    def encode(self, x, classes=None):
        return self.encoder(x.flatten(1)).chunk(2, 1)

    def decode(self, z, classes=None):
        return self.decoder(z).view(-1, 1, *SHAPE)

    def forward(self, x, classes=None, noise=None):
        mean, log_variance = self.encode(x)
        z = mean if noise is None else mean + (0.5 * log_variance).exp() * noise
        return mean, log_variance, self.decode(z)


def task(**options):
    options = {"likelihood": "bernoulli"} | options
    return Elbo(SHAPE, [0.5], [0.5], ["a", "b"], **options)


def batch(number=6):
    torch.manual_seed(1)
    black_or_white = torch.randint(2, (number, *SHAPE)).float()
    return {"input": 2 * black_or_white - 1, "target": torch.arange(number) % 2}


def exact(model, unit):
    """log p(x) by summing over a fine grid of codes, (N,)."""
    line = torch.linspace(-8, 8, 401, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    prior = -0.5 * z.square().sum(1) - math.log(2 * math.pi) + 2 * math.log(16 / 400)
    logits = model.double().decoder(z)  # (G, 4)
    seen = unit.double().flatten(1)[:, None]  # (N, 1, 4)
    each = -nn.functional.softplus(-logits) * seen - nn.functional.softplus(logits) * (1 - seen)
    return (each.sum(2) + prior).logsumexp(1)


def test_many_codes_give_the_likelihood():
    """And the bound lies below it, on average as far as one code by one code says."""
    model, given = Linear().eval(), batch()
    with torch.no_grad():
        output = task(importance_samples=20_000).test_step(model, given)
        known = -exact(Linear(), (given["input"] + 1) / 2).sum()
    assert float(output.sums["nll"]) == pytest.approx(float(known), abs=0.03)
    assert output.loss_sum > output.sums["nll"]
    singles = [task().step(model, given).loss_sum.detach() for _ in range(400)]
    assert float(torch.stack(singles).mean()) == pytest.approx(float(output.loss_sum), rel=0.02)
    parts = output.sums["restoration"] + output.sums["code"]
    assert float(parts) == pytest.approx(float(output.loss_sum), rel=1e-5)


def test_an_image_has_its_own_estimate_whatever_its_batch():
    model, whole = Linear().eval(), batch()
    alone = [{name: column[k : k + 1] for name, column in whole.items()} for k in range(6)]
    with torch.no_grad():
        together = task().test_step(model, whole)
        apart = [task().test_step(model, part) for part in alone]
    for name, value in together.sums.items():
        torch.testing.assert_close(sum(output.sums[name] for output in apart), value)


@pytest.mark.parametrize("likelihood", ["bernoulli", "logistic"])
def test_in_bf16_the_loss_is_that_of_what_the_model_says(likelihood):
    """A sum over 784 pixels in bf16 would be off by some tenths of a nat."""
    shape = (1, 28, 28)
    torch.manual_seed(0)
    network = VAE(shape, latent=4, width=16, depth=1, likelihood=likelihood).eval()
    with torch.no_grad():  # scales as of a trained model
        network.decoder[-1].weight.mul_(0.5)
        network.decoder[-1].bias[network.decoder[-1].out_features // 2 :] -= 3.0
    said = []
    network.register_forward_hook(lambda module, inputs, output: said.append(output.pixels))
    elbo = Elbo(shape, [0.5], [0.5], likelihood=likelihood)
    seen = torch.randint(2, (16, *shape)).float()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = elbo.step(network, {"input": 2 * seen - 1})
    assert said[0].dtype == torch.bfloat16
    exact = -elbo.kind.log_likelihood(seen.double(), said[0].double()).sum()
    assert output.sums["restoration"].item() == pytest.approx(exact.item(), rel=1e-6)


def test_an_evaluation_repeats_bit_for_bit():
    """Random binarisation, random codes: of the same batches the same numbers."""
    model, given = Linear(), batch()
    given["input"] = given["input"] * 0.5  # grey
    parts = (Precision("fp32", CPU), Runtime(CPU))
    for final in (False, True):
        found = [evaluate(model, task(), [given] * 2, *parts, final=final) for _ in range(2)]
        assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_beta_weighs_the_code_in_training_alone():
    model, given = Linear(), batch()
    losses = {}
    for beta in (0.0, 1.0, 3.0):
        torch.manual_seed(2)
        output = task(beta=beta).step(model.train(), given)
        losses[beta] = output.loss_sum.detach()
        parts = output.sums["restoration"] + output.sums["code"]
        torch.testing.assert_close(output.sums["loss"], parts)
    assert losses[0.0] == output.sums["restoration"]
    assert losses[3.0] == pytest.approx(float(losses[0.0] + 3 * output.sums["code"]), rel=1e-6)
    torch.manual_seed(2)
    assert task(beta=3.0).step(model.eval(), given).loss_sum == losses[1.0]


def test_parts_of_a_batch_add_up(monkeypatch):
    """With the same noise: gradients of micro-batches and of ranks are sums."""
    monkeypatch.setattr("torch.randn", lambda *shape, **options: torch.full(shape, 0.7))
    model, whole = Linear().double(), batch()
    whole["input"] = whole["input"].double()

    def gradient(parts):
        model.zero_grad()
        for part in parts:
            task().step(model, part).loss_sum.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    parts = [
        {name: column[rows] for name, column in whole.items()} for rows in ([0, 1], [2, 3, 4, 5])
    ]
    torch.testing.assert_close(gradient(parts), gradient([whole]))


def test_the_trivial_answer_is_each_pixel_by_itself():
    objective = task(likelihood="logistic", levels=3)
    shades = torch.tensor([[0.0, 0.5, 1.0, 1.0], [0.0, 0.5, 0.0, 1.0]]).view(2, *SHAPE)
    given = {"input": 2 * shades - 1}
    assert objective.baseline({}) is None
    objective.learn_baseline(objective.baseline_counts(given))
    means = {"levels": objective._levels(shades) / 2}
    sure, even = -math.log((2 + 1 / 3) / 3), -math.log((1 + 1 / 3) / 3)
    assert objective.baseline(means).metrics["loss"] == pytest.approx(3 * sure + even)
    assert objective.baseline(means).name == "independent pixels"  # nothing was drawn
    grey = task()
    assert grey.baseline_counts(given)[1].tolist() == [1, 1]  # half white each time


def test_the_class_of_an_image_is_the_likeliest():
    """A model whose decoder knows nothing but the class."""
    model = VAE(
        SHAPE, 2, latent=1, width=1, depth=1, likelihood="bernoulli", conditional=True
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.decoder[0].weight[0, 2] = 1.0  # of class b: white, of class a: grey
        model.decoder[-1].weight.fill_(4.0)
        rows = list(task(conditional=True).predict(model, {"input": torch.ones(1, *SHAPE)}))
        other = list(task(conditional=True).predict(model, {"input": -torch.ones(1, *SHAPE)}))
    assert rows[0]["class"] == "b" and other[0]["class"] == "a"
    assert rows[0]["log_likelihood"] == pytest.approx(-4 * math.log(1 + math.exp(-4)), abs=1e-4)
    assert rows[0]["probabilities"]["b"] == pytest.approx(1 / (1 + 0.5**4), rel=0.1)


def test_data_of_other_levels_are_refused():
    """Their bound would be that of other images; one to restore may be any."""
    model = VAE(SHAPE, latent=1, width=2, depth=1).eval()
    grey = {"input": torch.full((2, *SHAPE), 0.3)}
    coarse, fine = (task(likelihood="logistic", levels=levels) for levels in (17, 256))
    with torch.no_grad():
        for step in (coarse.step, coarse.test_step):
            with pytest.raises(UserError, match=r"task.levels=17: .*set task.levels=256"):
                step(model, grey)
        assert coarse.redraw(model, grey, torch.Generator()).shape == (2, *SHAPE)
        assert fine.step(model, grey).count == 2
        grid = {"input": 2 * torch.randint(17, (2, *SHAPE)) / 16 - 1}
        assert coarse.step(model, grid).count == 2


def test_a_class_that_the_model_is_not_told_is_refused():
    """It would draw the same whatever class it is asked for."""
    model = VAE(SHAPE, 2, latent=1, width=2, depth=1, likelihood="bernoulli")
    with pytest.raises(UserError, match=r"task.conditional=true needs model.conditional=true"):
        task(conditional=True).step(model, batch())
    assert task().step(model, batch()).count == 6


@pytest.mark.parametrize("part", ["model", "task"])
def test_settings_that_do_not_go_together_are_one_line(part):
    model = VAE(
        SHAPE, 2, latent=1, width=2, depth=1, likelihood="bernoulli", conditional=part == "model"
    )
    with pytest.raises(
        UserError, match="conditional" if part == "model" else "likelihood=logistic"
    ):
        task(likelihood="bernoulli" if part == "model" else "logistic").step(model, batch())
    with pytest.raises(UserError, match="needs a model with encode"):
        task().step(nn.Linear(4, 4), batch())
