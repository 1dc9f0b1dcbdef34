"""The GAN: each player gets the gradient of its own loss, in one pass."""

import copy

import pytest
import torch
import torch.nn.functional as F

from zoo.models.gan import GAN, halvings


def players(**options):
    torch.manual_seed(0)
    model = GAN((1, 8, 8), num_classes=3, noise=5, width=4, **options).double()
    images = torch.rand(6, 1, 8, 8, dtype=torch.float64) * 2 - 1
    return model, images, torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 3


def discriminator_loss(real, drawn, classes, real_penalty, drawn_penalty):
    plain = F.softplus(-real.real) + F.softplus(drawn.real)
    plain = plain + 0.05 * real_penalty + 0.03 * drawn_penalty
    return (plain + F.cross_entropy(real.classes, classes, reduction="none")).sum()


def generator_loss(judged, classes):
    drawn_class = F.cross_entropy(judged.classes, classes, reduction="none")
    return (F.softplus(-judged.real) + drawn_class).sum()


@pytest.mark.parametrize(("spectral", "projection"), [(False, False), (True, False), (True, True)])
def test_one_pass_has_the_gradients_of_two(spectral, projection):
    model, images, noise, classes = players(spectral_norm=spectral, projection=projection)
    model.train()
    for module in model.modules():  # its estimate moves with each call
        if spectral and hasattr(module, "_power_method"):
            module.eval()
    other = copy.deepcopy(model)

    real, drawn, judged, *penalties = model(images, noise, classes, penalise_drawn=True)
    loss = discriminator_loss(real, drawn, classes, *penalties)
    loss = loss + generator_loss(judged, classes)
    loss.backward()

    # The discriminator's turn: drawn images are mere data. Then the generator's.
    pictures = other.generator(noise, classes)
    copies, images = pictures.detach().requires_grad_(), images.clone().requires_grad_()
    real, drawn = (other.discriminator(seen, classes) for seen in (images, copies))
    penalties = []
    for said, seen in ((real, images), (drawn, copies)):
        (gradient,) = torch.autograd.grad(said.real.sum(), seen, create_graph=True)
        penalties.append(gradient.square().sum((1, 2, 3)))
    parts = [list(part.parameters()) for part in (other.discriminator, other.generator)]
    first = discriminator_loss(real, drawn, classes, *penalties)
    expected = list(torch.autograd.grad(first, parts[0]))
    second = generator_loss(other.discriminator(pictures, classes), classes)
    expected += torch.autograd.grad(second, parts[1])

    for part, wanted in zip(parts[0] + parts[1], expected, strict=True):
        name = next(n for n, p in other.named_parameters() if p is part)
        found = dict(model.named_parameters())[name].grad
        torch.testing.assert_close(found, wanted, msg=name)


def test_the_gradient_penalty_is_that_of_finite_differences():
    model, images, noise, classes = players()
    gradient_penalty = model.train()(images, noise, classes).gradient_penalty
    step = 1e-6

    def logit(image):
        return model.discriminator(image[None]).real.item()

    total = 0.0
    for place in range(64):
        moved = [images[0].clone() for _ in range(2)]
        for image, sign in zip(moved, (1, -1)):
            image.view(-1)[place] += sign * step
        total += ((logit(moved[0]) - logit(moved[1])) / (2 * step)) ** 2
    assert gradient_penalty[0].item() == pytest.approx(total, rel=1e-4)


def test_with_projection_an_image_is_judged_as_one_of_its_class():
    model, images, _, classes = players(projection=True)
    plain, _, _, _ = players()
    found = model.discriminator(images)
    torch.testing.assert_close(found, model.discriminator(images, found.classes.argmax(1)))
    x = model.discriminator.layers(images)
    # equation 4: the inner product of the features and a vector of the class, added to the logit
    vectors = model.discriminator.projection.weight[classes]
    expected = model.discriminator.head(x).squeeze(1) + (x * vectors).sum(1)
    torch.testing.assert_close(model.discriminator(images, classes).real, expected)
    other = plain.discriminator(images, classes).real
    torch.testing.assert_close(other, plain.discriminator(images, (classes + 1) % 3).real)


def test_spectral_normalisation_bounds_every_layer_of_the_discriminator():
    model, images, noise, classes = players(spectral_norm=True)
    with torch.no_grad():
        for parameter in model.discriminator.parameters():
            parameter.mul_(7)
        for _ in range(60):
            model.train()(images, noise, classes)
    for module in model.discriminator.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), ord=2)
            assert largest.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("size", "number"), [((8, 8), 1), ((28, 28), 2), ((32, 32), 3), ((7, 9), 0), ((12, 8), 1)]
)
def test_images_are_halved_while_both_sides_can_be(size, number):
    assert halvings(size) == number
    model = GAN((3, *size), num_classes=2, noise=3, width=2)
    drawn = model.generator(torch.randn(2, 3), torch.tensor([0, 1]))
    assert drawn.shape == (2, 3, *size) and bool((drawn.abs() <= 1).all())
    assert model.discriminator(drawn).classes.shape == (2, 2)
