"""Gaussian naive Bayes: each class draws every feature from a normal distribution of its own.

John and Langley, 1995, https://arxiv.org/abs/1302.4964; compared with logistic regression: Ng and
Jordan, 2001, https://papers.nips.cc/paper/2020-on-discriminative-vs-generative-classifiers.
    log p(x, y) = log p(y) + sum over features of log N(x_d; mean_yd, variance_yd)
It is naive because it assumes that the features of a class are independent. Its outputs are the K
log-densities log p(x, y), whose softmax is p(y | x) (Bayes' rule). Trained by
`task=joint_likelihood` it is naive Bayes; trained by `task=classification` the same model is its
discriminative counterpart: logistic regression, where all classes have the same variances.
Differs from the paper: means and variances are found by gradient steps, not by counting; features
have normal distributions only, no kernel estimates; variances are smoothed as scikit-learn does.
Shapes: B batch, D features of one sample (the product of its dimensions), K classes.
"""

import math

import torch
from torch import Tensor, nn

from zoo.bounds import AboveZero
from zoo.registry import MODELS


@MODELS.register(
    "naive_bayes",
    task="joint_likelihood",
    tiny=dict(input_shape=(4,), num_classes=3, var_smoothing=0.01),
)
class NaiveBayes(nn.Module):
    """A mean and a variance for each class and feature, and the probability of each class.

    Args:
        input_shape: Shape of one sample; flattened.
        num_classes: K.
        var_smoothing: Fraction of the largest variance of a feature that is added to all variances,
            as noise on the inputs would add it.
    """

    gives_joint = True  # see zoo.tasks.base.GivesJoint

    def __init__(
        self, input_shape: tuple[int, ...], num_classes: int, var_smoothing: AboveZero = 1e-9
    ) -> None:
        super().__init__()
        features = math.prod(input_shape)
        self.smoothing = var_smoothing
        self.mean = nn.Parameter(0.01 * torch.randn(num_classes, features))
        self.log_variance = nn.Parameter(torch.zeros(num_classes, features))
        self.log_prior = nn.Parameter(torch.zeros(num_classes))  # up to a constant

    def forward(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """(B, *input_shape) to log p(x, y) of every class y, (B, K).

        With `target` (B,) int64, of that class alone, (B,), and as training maximises it: the mean
        over noise on the features.
        """
        x, prior = x.flatten(1), self.log_prior.log_softmax(0)  # (B, D), (K,)
        if target is None:
            square = (x[:, None] - self.mean).square()  # (B, K, D)
            return prior - _energy(square, self.log_variance)  # (B, K)
        mean = _natural(self.mean, (-self.log_variance).exp())
        log_variance = _natural(self.log_variance, torch.full_like(self.log_variance, 0.5))
        square = (x - mean[target]).square() + self.added_variance()  # (B, D)
        return prior[target] - _energy(square, log_variance[target])  # (B,)

    def added_variance(self) -> Tensor:
        """`var_smoothing` of the largest variance of a feature over all classes, scalar.

        By the law of total variance it follows from the parameters, once these have been found; the
        variances among them have the smoothing in them.
        """
        share = self.log_prior.softmax(0)[:, None]
        square = (share * (self.log_variance.exp() + self.mean.square())).sum(0)
        total = square - (share * self.mean).sum(0).square()  # (D,)
        return (self.smoothing / (1 + self.smoothing) * total.max()).detach()


def _energy(square: Tensor, log_variance: Tensor) -> Tensor:
    """-log of the normal density, of squared distances from the mean (..., D); summed over D."""
    scaled = square * (-log_variance).exp()
    return 0.5 * (scaled + log_variance + math.log(2 * math.pi)).sum(-1)


def _natural(parameter: Tensor, information: Tensor) -> Tensor:
    """The parameter, with a gradient that is divided by its Fisher information.

    Steps are then steps of the distribution, whatever its width (Amari, 1998,
    https://doi.org/10.1162/089976698300017746): gradient descent moves a mean by a fraction of its
    distance to that of the data, and a variance of 1e-9 is found as easily as one of 1.
    """
    return parameter.detach() + (parameter - parameter.detach()) / information.detach()
