"""Drawn images judged: a model that copies, one that collapses, one that draws noise."""

import pytest
import torch

from zoo.judge.images import Images, values
from zoo.judge.neighbours import nearest
from zoo.judge.verdict import DRAWN, GAUSSIANS, REAL, ROWS, verdict


def bars(number, seed, classes=3):
    """Dark noise (1, 6, 6) with a bright bar, whose place is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(number) % classes
    pixels = torch.randint(0, 120, (number, 1, 6, 6), generator=generator)
    for k in range(classes):
        pixels[labels == k, :, :, 2 * k] += 80
    return Images(pixels.to(torch.uint8), labels)


TRAIN, TEST, FRESH = bars(90, 0), bars(60, 1), bars(90, 2)


def judged(drawn, **options):
    return verdict(TRAIN, TEST, drawn, **options).columns


def test_images_of_the_same_kind_are_as_good_as_real_ones():
    columns = judged(FRESH)
    assert columns[REAL]["accuracy"] == columns[DRAWN]["accuracy"] == 1.0
    assert columns[GAUSSIANS]["accuracy"] > 0.9 and columns[GAUSSIANS]["images"] == 90
    assert columns[DRAWN]["smallest_class"] == columns[DRAWN]["largest_class"] == 1.0
    assert columns[DRAWN]["distance"] == pytest.approx(columns[REAL]["distance"], rel=0.1)
    assert all(set(column) <= set(ROWS) for column in columns.values())


def test_copies_are_near():
    columns, copies = judged(TRAIN), verdict(TRAIN, TEST, TRAIN).pairs
    assert columns[DRAWN]["distance"] == 0 and columns[DRAWN]["near"] == 1
    assert columns[REAL]["near"] < 0.05
    assert torch.equal(copies[0], copies[1])


def test_one_class_for_all_is_a_collapse():
    one = FRESH.pixels[FRESH.labels == 0].repeat(3, 1, 1, 1)
    columns = judged(Images(one, FRESH.labels))
    assert columns[DRAWN]["smallest_class"] == 0 and columns[DRAWN]["largest_class"] == 3
    assert columns[DRAWN]["accuracy"] < 0.6
    assert columns[DRAWN]["recognised"] == pytest.approx(1 / 3)


def test_without_classes_nothing_is_trained_on_what_is_drawn():
    columns = judged(FRESH, has_classes=False)
    assert "accuracy" not in columns[DRAWN] and "recognised" not in columns[DRAWN]
    assert columns[DRAWN]["smallest_class"] == 1 and "accuracy" in columns[GAUSSIANS]


def test_the_frechet_distance_is_of_equally_many_images():
    sizes = []

    def features(pixels):
        sizes.append(len(pixels))
        return values(pixels)

    columns = judged(Images(255 - FRESH.pixels, FRESH.labels), features=features)
    assert columns[DRAWN]["frechet"] > 10 * columns[REAL]["frechet"] > 0
    assert sizes == [90, 60, 60, 60]  # of the training images, then as many as there are to test


def by_class(images):
    """As in a folder for each class."""
    order = images.labels.argsort(stable=True)
    return Images(images.pixels[order], images.labels[order])


def test_the_order_of_images_does_not_matter():
    """Where the first of them are all of one class, a part still has all."""
    few = bars(30, 2)
    found = [
        verdict(by_class(TRAIN), by_class(TEST), drawn, features=values)
        for drawn in (few, by_class(few))
    ]
    mixed = judged(few, features=values)
    for each in found:
        for name in (REAL, DRAWN):
            assert each.columns[name]["frechet"] < 2 * mixed[name]["frechet"]
    brightest = found[1].pairs[0].float().mean((1, 2)).argmax(1)  # column of the bar
    assert set(brightest.tolist()) == {0, 2, 4}
    assert few.mixed() is few and torch.equal(
        by_class(few).mixed().labels.bincount(), few.labels.bincount()
    )


@pytest.mark.parametrize("labels", [FRESH.labels, torch.ones(90, dtype=torch.int64)])
def test_a_model_that_draws_one_shade_is_judged_too(labels):
    columns = judged(Images(torch.zeros_like(FRESH.pixels), labels))
    assert columns[DRAWN]["accuracy"] == pytest.approx(1 / 3, abs=0.1)
    assert columns[DRAWN]["largest_class"] == 3


def test_it_repeats():
    first, second = (verdict(TRAIN, TEST, FRESH) for _ in range(2))
    assert first.columns == second.columns


def test_large_images_are_averaged():
    large = torch.randint(256, (3, 3, 100, 60), dtype=torch.uint8)
    assert 900 < values(large).shape[1] <= 1024
    near = nearest(large, large.flip(0))
    assert near.rows.tolist() == [2, 1, 0] and near.distance.tolist() == [0, 0, 0]
