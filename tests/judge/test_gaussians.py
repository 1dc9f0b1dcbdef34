"""A Gaussian of each class has the mean and the covariance of its images."""

import weakref

import torch

from zoo.judge.gaussians import RIDGE, ClassGaussians
from zoo.judge.images import Images


def test_moments_are_those_of_the_class():
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(400, 1, generator=generator) * 20
    pixels = 128 + shared + 10 * torch.randn(400, 4, generator=generator)
    labels = torch.arange(400) % 2
    pixels[labels == 1] -= 60
    images = Images(pixels.clamp(0, 255).to(torch.uint8).view(-1, 1, 2, 2), labels)
    wanted = torch.arange(4000) % 2
    drawn = ClassGaussians(images).draw(wanted, generator)
    assert torch.equal(drawn.labels, wanted)
    for k in range(2):
        real, found = (s.pixels[s.labels == k].flatten(1).double() for s in (images, drawn))
        torch.testing.assert_close(found.mean(0), real.mean(0), atol=2.0, rtol=0)
        ratio = found.var(0) / real.var(0) / (1 + RIDGE)
        torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=0.15, rtol=0)
        assert torch.corrcoef(found.mT)[0, 1] > 0.7


def test_a_single_image_is_enough():
    """And a pixel that never changes."""
    pixels = torch.tensor([[[[7, 200]]], [[[9, 0]]]], dtype=torch.uint8)
    gaussians = ClassGaussians(Images(pixels, torch.tensor([0, 1])))
    drawn = gaussians.draw(torch.tensor([1, 0, 1]), torch.Generator().manual_seed(0))
    assert torch.equal(drawn.pixels, pixels[[1, 0, 1]])


def test_many_classes_take_the_memory_of_one(monkeypatch):
    """A factor of 64x64 pixels takes 134 MB."""
    cholesky, factors, alive = torch.linalg.cholesky, weakref.WeakSet(), []

    def watched(covariance):
        alive.append(len(factors))
        factors.add(factor := cholesky(covariance))
        return factor

    monkeypatch.setattr(torch.linalg, "cholesky", watched)
    pixels = torch.arange(20, dtype=torch.uint8).view(10, 1, 1, 2)
    labels = torch.arange(10) % 5
    ClassGaussians(Images(pixels, labels)).draw(labels, torch.Generator().manual_seed(0))
    assert len(alive) == 5 and max(alive) <= 1
