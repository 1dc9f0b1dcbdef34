"""A support vector machine on pixels: the classifier that compares sets of images.

Cortes and Vapnik, 1995, https://doi.org/10.1007/BF00994018, by scikit-learn (one machine for each
pair of classes), with the Gaussian kernel. It has no random numbers, no training to tune, and takes
seconds. The kernel is computed here, by matrix products; scikit-learn's own is a loop, which gives
the same and takes ten times as long on images of 28x28.
"""

import warnings
from typing import Any

import torch
from torch import Tensor

from zoo.judge.images import Images, values

C = 10.0  # price of an error; the best of 1, 10, 100 on digits
AT_ONCE = 1000  # images


class PixelClassifier:
    """Trained once, then asked for the classes of other images.

    Args:
        images: N to train on. If they are of one class, so is all that it is asked for.
    """

    def __init__(self, images: Images) -> None:
        from sklearn.svm import SVC

        self.samples = values(images.pixels)  # (N, D)
        variance = float(self.samples.var(correction=0))  # 0 where all pixels are the same
        self.gamma = 1 / (self.samples.shape[1] * variance) if variance else 1.0
        self.machine: Any = None
        self.only = images.labels[:1]
        if len(images.labels.unique()) > 1:
            self.machine = SVC(C=C, kernel="precomputed")
            with warnings.catch_warnings():  # many classes of few images are classes all the same
                warnings.filterwarnings("ignore", "The number of unique classes")
                self.machine.fit(self._kernel(self.samples).numpy(), images.labels.numpy())

    def _kernel(self, others: Tensor) -> Tensor:
        """exp(-gamma |a - b|^2) of others (M, D) and the samples, (M, N)."""
        squares = others.square().sum(1)[:, None] + self.samples.square().sum(1)
        return (-self.gamma * (squares - 2 * others @ self.samples.mT)).exp_()

    def classes(self, pixels: Tensor) -> Tensor:
        """The class of each image, int64 (M,), of uint8 (M, C, H, W)."""
        if self.machine is None:
            return self.only.expand(len(pixels))
        parts = values(pixels).split(AT_ONCE)
        found = [torch.from_numpy(self.machine.predict(self._kernel(p).numpy())) for p in parts]
        return torch.cat(found)

    def accuracy(self, images: Images) -> float:
        """The share of images whose class is found."""
        return float((self.classes(images.pixels) == images.labels).double().mean())
