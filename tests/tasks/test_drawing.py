"""What is drawn does not depend on how many images are drawn with it."""

import torch

from zoo.tasks import drawing
from zoo.tasks.drawing import ImageNoise, draw_all, grid


def seeded():
    return torch.Generator().manual_seed(3)


def test_an_image_has_its_own_stream():
    many, few = ImageNoise(40, seeded()), ImageNoise(7, seeded())
    first = many.normal(2, 3)
    assert first.shape == (40, 2, 3) and torch.equal(first[:7], few.normal(2, 3))
    assert torch.equal(many.uniform(5)[:7], few.uniform(5))
    assert len(first.flatten().unique()) == first.numel()


def test_batches_do_not_matter(monkeypatch):
    class Noise:
        class_names = ["a"]

        def draw(self, model, classes, generator, scale=1.0):
            noise = ImageNoise(len(classes), generator)
            return (100 + scale * 50 * noise.normal(1, 2, 2)).clamp(0, 255).byte()

    classes = torch.zeros(25, dtype=torch.int64)
    whole = draw_all(Noise(), None, classes, seeded(), scale=0.5)
    monkeypatch.setattr(drawing, "AT_ONCE", 4)
    assert torch.equal(draw_all(Noise(), None, classes, seeded(), scale=0.5), whole)
    assert torch.equal(draw_all(Noise(), None, classes[:6], seeded(), scale=0.5), whole[:6])


def test_a_grid_has_every_image_in_its_place():
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 3, 4)
    canvas = grid(images, columns=2)
    assert canvas.shape == (1, 1 + 3 * 4, 1 + 2 * 5)
    assert [canvas[0, 2 + 4 * (k // 2), 2 + 5 * (k % 2)].item() for k in range(5)] == [*range(5)]
    assert canvas[0, 10, 8] == canvas[0, 0, 0] == drawing.GREY
