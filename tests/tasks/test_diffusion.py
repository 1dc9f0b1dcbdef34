"""Sums, the bound and its baseline, drawing and its options."""

import math

import pytest
import torch
from torch import nn
from toys import HERE

from zoo.errors import UserError
from zoo.inference.noising import to_predict
from zoo.models.unet import UNet
from zoo.tasks.denoised import half
from zoo.tasks.diffusion import Diffusion, content_seeds
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.step import RunningMetrics, accumulate_gradients

NAMES = ["circle", "cross", "line"]
SHAPE = (1, 4, 4)
FP32 = Precision("fp32", HERE.device)


def task_of(**options):
    facts = {"pixel_mean": [0.5], "pixel_std": [0.25], "input_shape": SHAPE, "class_names": NAMES}
    return Diffusion(**{**facts, "timesteps": 40, "steps": 5} | options)


def network(seed=0, dropout=0.0):
    """Of random weights in all layers, some of which start at zero."""
    torch.manual_seed(seed)
    model = UNet(SHAPE, 3, width=4, depth=1, heads=1, dropout=dropout)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def images(number=9, levels=256):
    """Standardised: bytes 0 to 255, less the mean, over the deviation."""
    torch.manual_seed(1)
    unit = torch.randint(levels, (number, *SHAPE)) / (levels - 1)
    return {"input": (unit - 0.5) / 0.25, "target": torch.arange(number) % 3}


class Knows(nn.Module):
    """A network that knows the picture of each class, and says what follows from it."""

    def __init__(self, task, pictures):
        super().__init__()
        self.task, self.pictures = task, pictures
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x, time, classes):
        a, s = self.task.noising.at((time * self.task.noising.steps).round().long(), x)
        image = self.pictures[classes]
        return to_predict(self.task.kind, image, (x - a * image) / s, a, s)


def knowing(**options):
    task = task_of(levels=2, **options)
    pictures = torch.randint(2, (4, *SHAPE)) * 2.0 - 1
    batch = {"input": 2 * pictures[:3], "target": torch.arange(3)}  # (unit - 0.5) / 0.25
    return task, Knows(task, pictures).eval(), batch


@pytest.mark.parametrize("kind", ["v", "noise"])
def test_who_knows_the_images_has_no_error_and_needs_no_bits(kind):
    task, model, batch = knowing(predict=kind, classify=2)
    task.learn_baseline(task.baseline_counts(batch))
    means = evaluate(model, task, [batch], FP32, HERE, final=True)
    metrics, baseline = task.summarize(means), task.baseline(means)
    assert metrics["loss"] < 1e-8 and metrics["bits_per_value"] < 0.01
    assert metrics["accuracy"] == 1
    assert baseline.metrics["loss"] > 0.01 and 0.3 < baseline.metrics["bits_per_value"] < 1.5
    drawn = task.draw(model, torch.tensor([2, 0]), torch.Generator().manual_seed(0))
    assert torch.equal(drawn, ((model.pictures[[2, 0]] + 1) / 2 * 255).byte())
    assert [row["class"] for row in task.predict(model, {"input": batch["input"]})] == NAMES


def test_the_baseline_is_the_entropy_of_pixels_that_know_nothing_of_each_other():
    task = task_of(levels=2)
    unit = torch.zeros(8, *SHAPE)
    unit[:4, 0, 0, 0] = 1  # one pixel of two equal levels, the others always black
    batch = {"input": (unit - 0.5) / 0.25, "target": torch.zeros(8, dtype=torch.int64)}
    for _ in range(2):  # the counts of batches add up
        task.learn_baseline(1000 * task.baseline_counts(batch))
    bits = task.independent.bits_of(task.pixels.to_signed(batch["input"])) / math.prod(SHAPE)
    torch.testing.assert_close(bits, torch.full((8,), 1 / 16), rtol=0.01, atol=0)


def test_evaluation_does_not_depend_on_batches_or_the_random_numbers_of_the_process():
    task, model, batch = task_of(), network().eval(), images()
    whole = evaluate(model, task, [batch], FP32, HERE, final=True)
    torch.manual_seed(5)
    parts = [{name: column[k : k + 2] for name, column in batch.items()} for k in range(0, 9, 2)]
    cut = evaluate(model, task, parts, FP32, HERE, final=True)
    assert set(whole) == {"loss", "count", "bits_per_value"}
    torch.testing.assert_close(whole, cut, rtol=1e-5, atol=1e-6)
    assert len(content_seeds(batch["input"]).unique()) == 9


@pytest.mark.parametrize("counts", [(4, 5), (1, 2, 6)])
def test_accumulated_gradients_are_those_of_the_whole_batch(counts):
    batch, gradients = images(), []
    for sizes in ((9,), counts):
        model, task = network(), task_of()
        torch.manual_seed(3)
        columns = [batch[name].split(sizes) for name in ("input", "target")]
        parts = [{"input": x, "target": y} for x, y in zip(*columns)]
        accumulate_gradients(model, task, parts, FP32, HERE, RunningMetrics())
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert (gradients[0] - gradients[1]).norm() < 1e-5 * gradients[0].norm()


def test_noise_changes_from_step_to_step_in_training():
    task, model, batch = task_of(), network().train(), images()
    torch.manual_seed(0)
    losses = [task.step(model, batch).loss_sum.item() for _ in range(2)]
    torch.manual_seed(0)
    assert losses[0] != losses[1] and losses[0] == task.step(model, batch).loss_sum.item()


class Listens(nn.Module):
    """Keeps the classes and times that it is told."""

    def __init__(self):
        super().__init__()
        self.classes, self.times = [], []

    def forward(self, x, time, classes):
        self.classes.append(classes)
        self.times.append(time)
        return torch.zeros_like(x)


@pytest.mark.parametrize("drop", [0.0, 0.3, 1.0])
def test_the_class_is_left_out_as_often_as_asked(drop):
    task, model, batch = task_of(drop_class=drop), Listens().train(), images(3000)
    task.step(model, batch)
    told = model.classes[0]
    assert float((told == 3).float().mean()) == pytest.approx(drop, abs=0.03)
    assert torch.equal(told[told < 3], batch["target"][told < 3])
    assert task.class_names == ([] if drop == 1 else NAMES)
    assert (model.times[0] * 40).round().unique().tolist() == list(range(1, 41))
    assert float(model.times[0].mean()) == pytest.approx(0.5, abs=0.03)


def test_evaluation_looks_at_each_image_at_a_time_of_each_quarter():
    task, model = task_of(), Listens().eval()
    task.step(model, images())
    steps = torch.stack([time * 40 for time in model.times]).round().long()  # 1 to 40
    assert ((steps - 1) // 10 == torch.arange(4)[:, None]).all()
    assert all(torch.equal(classes, images()["target"]) for classes in model.classes)


def test_drawing_follows_its_seed_class_steps_and_sampler():
    task, model = task_of(), network().eval()

    def draw(classes=(0, 1, 2), seed=0, **options):
        generator = torch.Generator().manual_seed(seed)
        return task.draw(model, torch.tensor(classes), generator, **options)

    first = draw()
    assert first.shape == (3, *SHAPE) and first.dtype == torch.uint8
    assert torch.equal(first, draw()) and torch.equal(first, draw(steps=5, guidance=1.0))
    others = [
        draw(seed=1),
        draw((2, 0, 1)),
        draw(steps=2),
        draw(guidance=3.0),
        draw(sampler="ddpm"),
    ]
    assert not any(torch.equal(first, other) for other in others)


def test_drawn_pixels_take_the_levels_of_the_data():
    drawn = task_of(levels=5).draw(network().eval(), torch.arange(3), torch.Generator())
    assert set(drawn.unique().tolist()) <= {0, 64, 128, 191, 255}


def test_a_hidden_part_is_drawn_and_the_rest_stays():
    task, model, batch = knowing()
    kept = task.to_bytes(task.pixels.to_signed(batch["input"]))
    hidden = torch.tensor([False, True]).repeat_interleave(2).expand(4, 4)
    drawn = task.repaint(model, batch["input"], hidden, batch["target"], torch.Generator())
    assert torch.equal(drawn, kept)  # it knows what belongs there
    other = task.repaint(model, batch["input"], hidden, batch["target"].flip(0), torch.Generator())
    assert torch.equal(other[..., :2], kept[..., :2])
    assert torch.equal(other[..., 2:], kept.flip(0)[..., 2:])


@pytest.mark.parametrize("side", ["right", "left", "top", "bottom"])
def test_half_of_an_input_is_completed(side):
    task, model, batch = knowing()
    model.pictures[3] = 0.5  # what it believes of an image whose class it is not told
    generator = torch.Generator().manual_seed(0)
    drawn = task.redraw(model, {"input": batch["input"]}, generator, side, steps=2, repeats=1)
    kept = task.to_bytes(task.pixels.to_signed(batch["input"]))
    hidden = half(SHAPE, side).expand_as(kept)
    assert int(hidden[0].sum()) == 8
    assert torch.equal(drawn[~hidden], kept[~hidden]) and (drawn[hidden] == 255).all()


def test_a_model_that_was_always_told_the_class_completes_nothing():
    task, model, batch = knowing(drop_class=0.0)
    with pytest.raises(UserError, match="always told the class.*drop_class"):
        task.redraw(model, batch, torch.Generator())


def test_the_middle_of_an_odd_side_is_in_both_halves():
    first, second = half((1, 2, 5), "left"), half((1, 2, 5), "right")
    assert first[0].tolist() == [True, True, True, False, False]
    assert torch.equal(first.flip(1), second)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"steps": 41}, r"steps=41: .*task.timesteps=40; expected 1 to 40"),
        (
            {"drop_class": 0.0},
            {"guidance": 2.0},
            r"guidance=2: .*always told the class.*drop_class",
        ),
        ({"class_names": None}, {"guidance": 2.0}, r"guidance=2: .*has no classes"),
    ],
)
def test_what_cannot_be_drawn_is_said(options, given, message):
    with pytest.raises(UserError, match=message):
        task_of(**options).draw(network(), torch.zeros(1, dtype=torch.int64), None, **given)


def test_data_of_other_levels_are_refused():
    with pytest.raises(UserError, match=r"task.levels=5: .*set task.levels=256"):
        task_of(levels=5).step(network(), images())
    task_of(levels=5).step(network(), images(levels=5))
