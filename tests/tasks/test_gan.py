"""The game of a GAN: losses against their formulas, drawing, the distance that picks weights."""

import math

import pytest
import torch
from previews import Previews
from test_every_model import make

from zoo.errors import UserError
from zoo.models.gan import GAN, DiscriminatorOutput, GANOutput
from zoo.tasks.gan import Adversarial

NAMES = ["a", "b", "c"]


class Said(torch.nn.Module):
    """A discriminator that says what it is told to."""

    noise = 4

    def __init__(self, real, drawn, *penalties):
        super().__init__()
        self.answers = real, drawn, *penalties

    def forward(self, images, noise, classes, penalise_drawn):
        self.penalises_drawn = penalise_drawn
        real, drawn, *penalties = (torch.full((len(images),), value) for value in self.answers)
        logits = torch.zeros(len(images), 3)  # knows nothing of classes
        outputs = [DiscriminatorOutput(logit, logits) for logit in (real, drawn, drawn)]
        return GANOutput(*outputs, *penalties)


def task_of(**options):
    return Adversarial(3, NAMES, [9, 7, 8], [0.25], [0.5], **options)


def softplus(x):
    return math.log1p(math.exp(x))


def test_the_losses_are_those_of_the_paper():
    batch = {"input": torch.zeros(5, 1, 2, 2), "target": torch.tensor([0, 1, 2, 0, 1])}
    output = task_of(class_weight=0.5, r1=0.2).step(Said(1.5, -0.5, 3.0, 7.0).train(), batch)
    # -log D(x) - log(1 - D(G(z))), and -log D(G(z)), by the logits of D
    assert output.sums["discriminator_loss"].item() == pytest.approx(
        5 * (softplus(-1.5) + softplus(-0.5)), rel=1e-5
    )
    assert output.sums["generator_loss"].item() == pytest.approx(5 * softplus(0.5), rel=1e-5)
    both = softplus(-1.5) + softplus(-0.5) + softplus(0.5) + 1.5 * math.log(3) + 0.1 * 3.0
    assert output.loss_sum.item() == pytest.approx(5 * both, rel=1e-5)
    assert output.count == 5


def test_the_relativistic_losses_compare_drawn_images_with_real_ones():
    batch = {"input": torch.zeros(5, 1, 2, 2), "target": torch.tensor([0, 1, 2, 0, 1])}
    task, said = task_of(class_weight=0.0, r1=0.2, r2=0.4, relativistic=True), Said(1.5, -0.5, 3, 7)
    output = task.step(said.train(), batch)
    assert said.penalises_drawn
    assert output.sums["discriminator_loss"].item() == pytest.approx(5 * softplus(-2), rel=1e-5)
    assert output.sums["generator_loss"].item() == pytest.approx(5 * softplus(2), rel=1e-5)
    both = softplus(-2) + softplus(2) + math.log(3) + 0.1 * 3 + 0.2 * 7
    assert output.loss_sum.item() == pytest.approx(5 * both, rel=1e-5)


def test_the_distance_is_zero_for_the_same_images_and_knows_classes():
    torch.manual_seed(0)
    images, classes = torch.rand(60, 4), torch.arange(60) % 3
    task = task_of()

    def distance(drawn):
        rows = {"real": images, "drawn": drawn, "class": classes}
        return task.split_metrics(rows)["pixel_distance"].item()

    images += classes[:, None]  # a class has its own brightness
    assert distance(images) == pytest.approx(0, abs=1e-5)
    order = classes.argsort(stable=True)
    mixed = images[order.argsort().flip(0)]  # the same images, in wrong classes
    assert distance(mixed) > 0.1


def test_large_images_are_compared_averaged():
    """The distance of 12,288 values would take hours at each validation."""
    torch.manual_seed(0)
    model = GAN((3, 64, 64), 3, noise=4, width=2).eval()
    task = Adversarial(3, NAMES, [9, 7, 8], [0.25] * 3, [0.5] * 3)
    batch = {"input": torch.randn(6, 3, 64, 64), "target": torch.arange(6) % 3}
    with torch.no_grad():
        rows = task.step(model, batch).rows
    assert rows["real"].shape == rows["drawn"].shape == (6, 3 * 18 * 18)
    expected = torch.nn.functional.adaptive_avg_pool2d(batch["input"] * 0.5 + 0.25, 18)
    torch.testing.assert_close(rows["real"], expected.flatten(1))


def test_drawing_follows_the_seed_and_the_class_and_not_the_batch():
    case = make("gan")
    model, task = case.model.eval(), case.task
    classes = torch.tensor([0, 1, 2, 0])

    def draw(classes, seed):
        with torch.no_grad():
            return task.draw(model, classes, torch.Generator().manual_seed(seed))

    images = draw(classes, 1)
    assert images.dtype == torch.uint8 and images.shape == (4, 1, 4, 4)
    assert torch.equal(draw(classes[:2], 1), images[:2])
    assert not torch.equal(draw(classes, 2), images)
    assert not torch.equal(draw(torch.tensor([1, 1, 2, 0]), 1)[0], images[0])


class Films(Previews):
    """Keeps the last frame of a film as well."""

    def frame(self, tag, draw, caption=""):
        self.figure(f"{tag}_film", draw(), None, caption)


def test_a_frame_a_validation_and_a_card_of_both_losses():
    case, previews = make("gan"), Films()
    means = {name: torch.tensor(1.0) for name in ("discriminator_loss", "generator_loss")}
    with torch.no_grad():
        for _ in range(2):
            case.task.film(case.model.eval(), case.example.batch, means, previews)
        case.task.preview(case.model, case.example.batch, means, previews)
    assert {"drawn", "drawn_film", "game"} <= set(previews.figures)


def test_a_relativistic_logit_counts_beside_those_of_drawn_images():
    """One number more in all of them changes no probability."""
    case = make("gan")
    model, images = case.model.eval(), {"input": case.example.batch["input"]}
    found = {}
    with torch.no_grad():
        for shift in (0.0, 9.0):
            model.discriminator.head.bias.fill_(shift)
            for relativistic in (False, True):
                rows = task_of(relativistic=relativistic).predict(model, images)
                found[relativistic, shift] = [row["real"] for row in rows]
    assert found[True, 0.0] == pytest.approx(found[True, 9.0], abs=1e-5)
    assert all(0.1 < real < 0.9 for real in found[True, 9.0])
    assert min(found[False, 9.0]) > 0.99 > max(found[False, 0.0])


def test_a_model_of_one_player_is_refused():
    batch = {"input": torch.zeros(2, 1, 2, 2), "target": torch.tensor([0, 1])}
    with pytest.raises(UserError, match="task=gan needs a model with generator, .* got Linear"):
        task_of().step(torch.nn.Linear(4, 4), batch)
