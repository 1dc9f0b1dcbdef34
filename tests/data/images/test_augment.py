"""Augmentation: a function of the sample's own seed, equal to the plain loops below."""

import pytest
import torch
from sample_images import digits

from zoo.data.images.augment import Augment
from zoo.errors import UserError
from zoo.rng import sample_seeds

SEEDS = sample_seeds(7, torch.tensor(3), torch.arange(64))
IMAGES = torch.rand(64, 3, 9, 7, generator=torch.Generator().manual_seed(0)) + 1
BLACK = [-0.5, -0.6, -0.7]


def run(augment, images=IMAGES, seeds=SEEDS):
    return augment.bind(BLACK, tuple(images.shape[2:]))({"input": images}, seeds)["input"]


@pytest.mark.parametrize(
    "augment", [Augment(shift=2), Augment(crop=3), Augment(flip=True), Augment(1, 1, True, 3)]
)
def test_a_sample_does_not_depend_on_its_batch(augment):
    whole = run(augment)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))[:10]
    assert torch.equal(run(augment, IMAGES[order], SEEDS[order]), whole[order])
    assert torch.equal(run(augment), whole)
    assert not torch.equal(run(augment, seeds=SEEDS + 1), whole)


def shifted(image, dy, dx):
    """Content moved down by dy and right by dx, the rest black; pixel by pixel."""
    out = torch.tensor(BLACK)[:, None, None].expand_as(image).clone()
    for y in range(9):
        for x in range(7):
            if 0 <= y - dy < 9 and 0 <= x - dx < 7:
                out[:, y, x] = image[:, y - dy, x - dx]
    return out


def test_shift_equals_a_loop_and_takes_every_value():
    out = run(Augment(shift=2))
    moves = {}
    for i in range(64):
        actual = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(out[i], shifted(IMAGES[i], dy, dx))
        ]
        assert len(actual) == 1
        moves[actual[0]] = True
    assert {dy for dy, _ in moves} == {dx for _, dx in moves} == {-2, -1, 0, 1, 2}


def test_crop_is_a_window_of_the_mirrored_image():
    out = run(Augment(crop=3))
    padded = torch.nn.functional.pad(IMAGES, (3, 3, 3, 3), mode="reflect")
    places = set()
    for i in range(64):
        actual = [
            (y, x)
            for y in range(7)
            for x in range(7)
            if torch.equal(out[i], padded[i, :, y : y + 9, x : x + 7])
        ]
        assert len(actual) == 1
        places.add(actual[0])
    assert {y for y, _ in places} == set(range(7))


def test_flip_mirrors_half_of_the_images():
    images = IMAGES[:1].expand(4000, -1, -1, -1)
    seeds = sample_seeds(0, torch.tensor(0), torch.arange(4000))
    out = run(Augment(flip=True), images, seeds)
    same = (out == images).flatten(1).all(1)
    mirrored = (out == images.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 1850 < int(mirrored.sum()) < 2150


def test_cutout_blacks_one_square():
    out = run(Augment(cutout=3))
    holes = (out == torch.tensor(BLACK)[None, :, None, None]).all(1)
    assert torch.equal(out[~holes[:, None].expand_as(out)], IMAGES[~holes[:, None].expand_as(out)])
    for hole in holes:
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns[None])
        assert 2 <= int(rows.sum()) <= 3 and 2 <= int(columns.sum()) <= 3


def test_a_flip_comes_after_the_shift():
    both = run(Augment(shift=2, flip=True))
    moved = run(Augment(shift=2))
    assert all(
        torch.equal(b, m) or torch.equal(b, m.flip(2)) for b, m in zip(both, moved, strict=True)
    )


def test_off_is_none_and_targets_pass_through():
    assert Augment().bind(BLACK, (9, 7)) is None
    batch = {"input": IMAGES, "target": torch.arange(64)}
    out = Augment(shift=1).bind(BLACK, (9, 7))(batch, SEEDS)
    assert torch.equal(out["target"], batch["target"]) and out["input"].dtype == torch.float32
    assert torch.equal(batch["input"], IMAGES), "the given batch is not changed"


@pytest.mark.parametrize("bad", [{"shift": -1}, {"crop": 1.5}, {"flip": 1}, {"cutout": True}])
def test_wrong_values_are_named(bad):
    with pytest.raises(UserError, match=f"data.augment.{next(iter(bad))}="):
        Augment(**bad)


def test_a_shift_beyond_the_image_is_refused():
    with pytest.raises(UserError, match=r"data.augment.shift=7: the images are 9x7 .* 0..6"):
        Augment(shift=7).bind(BLACK, (9, 7))


def test_augmentation_fills_with_prepared_black(tmp_path):
    data = digits(tmp_path, augment=Augment(shift=3))
    batch = data.encoding.prepare({"input": torch.zeros(8, 1, 8, 8, dtype=torch.uint8)})
    moved = data.augment(batch, torch.arange(8))
    assert torch.allclose(moved["input"], batch["input"], atol=1e-6)
    assert digits(tmp_path, augment=Augment()).augment is None
