"""The classifier on pixels: scikit-learn's own, in less time."""

import warnings

import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from zoo.judge.images import Images
from zoo.judge.svc import C, PixelClassifier


def test_it_is_the_machine_of_scikit_learn():
    data = load_digits()
    pixels = (torch.from_numpy(data.images) * (255 / 16)).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(data.target)
    train, test = Images(pixels[:400], labels[:400]), Images(pixels[400:], labels[400:])
    flat = (pixels.flatten(1) / 255).numpy()
    known = SVC(C=C).fit(flat[:400], labels[:400]).predict(flat[400:])
    found = PixelClassifier(train)
    assert (found.classes(test.pixels) == torch.from_numpy(known)).float().mean() > 0.998
    assert found.accuracy(test) > 0.9


def test_many_classes_of_few_images_are_no_warning():
    pixels = torch.arange(30, dtype=torch.uint8).mul(8).view(30, 1, 1, 1).expand(-1, 1, 2, 2)
    images = Images(pixels.contiguous(), torch.arange(30).div(1.5).long())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PixelClassifier(images)
