"""Naive Bayes: gradient steps on the joint likelihood reach the closed form of scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.naive_bayes import GaussianNB

from zoo.registry import MODELS, TASKS


def samples(seed=0, number=200):
    """Three classes of unequal size; feature 3 is constant in one of them, 4 in all."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.arange(number) % 5 % 3  # shares 0.4, 0.4, 0.2
    centre = torch.randn(3, 5, generator=generator)
    width = torch.rand(3, 5, generator=generator) + 0.1
    x = centre[target] + width[target] * torch.randn(number, 5, generator=generator)
    x = (x - x.mean(0)) / x.std(0, correction=0)
    x[:, 1:] *= 0.5  # feature 0 has the largest variance, which decides the smoothing
    x[target == 1, 3] = 0.7
    x[:, 4] = -0.3
    return x, target


def make(smoothing):
    torch.manual_seed(0)
    options = {"name": "naive_bayes", "var_smoothing": smoothing}
    return MODELS.build(options, input_shape=(5,), num_classes=3)


def trained(x, target, smoothing, parts=1):
    model = make(smoothing).train()
    facts = {"num_classes": 3, "class_names": ["a", "b", "c"], "class_counts": [80, 80, 40]}
    task = TASKS.build({"name": "joint_likelihood"}, **facts)
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    for _ in range(100):
        outputs = [
            task.step(model, {"input": a, "target": b})
            for a, b in zip(x.chunk(parts), target.chunk(parts), strict=True)
        ]
        optimizer.zero_grad()
        (sum(o.loss_sum for o in outputs) / sum(o.count for o in outputs)).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("smoothing", [1e-9, 0.1])
def test_training_reaches_the_closed_form(smoothing):
    x, target = samples()
    closed = GaussianNB(var_smoothing=smoothing).fit(x.double().numpy(), target)
    model = trained(x, target, smoothing)
    np.testing.assert_allclose(model.mean.detach(), closed.theta_, atol=1e-6)
    np.testing.assert_allclose(model.log_variance.exp().detach(), closed.var_, rtol=1e-3)
    np.testing.assert_allclose(model.log_prior.softmax(0).detach(), closed.class_prior_, rtol=1e-5)
    new = samples(seed=1)[0]
    assert (model(new).argmax(1).numpy() == closed.predict(new.double().numpy())).all()
    parts = trained(x, target, smoothing, parts=3)
    torch.testing.assert_close(parts.mean, model.mean, rtol=1e-5, atol=1e-6)


def test_outputs_are_the_logarithms_of_densities():
    model, (x, _) = make(0.1).eval(), samples(number=6)
    with torch.no_grad():
        model.log_variance.normal_()
        model.log_prior.copy_(torch.tensor([1.0, 2.0, 3.0]))
        joint = model(x)
    prior = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    scale = model.log_variance.exp().sqrt().detach().numpy()
    density = norm.logpdf(x[:, None].numpy(), model.mean.detach().numpy(), scale)  # (B, K, D)
    np.testing.assert_allclose(joint, density.sum(2) + np.log(prior), rtol=1e-4)


def test_smoothing_is_the_mean_over_noise_and_in_training_alone():
    model, (x, target) = make(0.25), samples(number=4)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 4, 5, generator=generator) * model.added_variance().sqrt()
    with torch.no_grad():
        own = model(x, target)
        noisy = model((x + noise).view(-1, 5)).view(-1, 4, 3).mean(0)
        torch.testing.assert_close(own, noisy.gather(1, target[:, None])[:, 0], rtol=0.01, atol=0)
        assert (model(x).gather(1, target[:, None])[:, 0] > own).all()


def test_a_step_of_rate_one_is_a_step_to_the_data():
    """Natural gradients: of one class, all the way, however narrow the distribution is."""
    model = MODELS.build({"name": "naive_bayes"}, input_shape=(2,), num_classes=1)
    with torch.no_grad():
        model.log_variance.fill_(-12.0)
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    (-model(x, torch.zeros(2, dtype=torch.int64)).mean()).backward()
    torch.testing.assert_close(model.mean - model.mean.grad, torch.tensor([[2.0, 5.0]]))
