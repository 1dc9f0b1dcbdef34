"""The trivial answer of tasks that predict tokens: how frequent each is, whatever stands around it.

Shapes: M predictions, V vocabulary.
"""

import torch
from torch import Tensor

from zoo.tasks.base import to_float64


class Unigram:
    """Frequencies of tokens in the training split, as a predictor.

    Args:
        counts: Of each id, (V,). Each is counted once more, so that none has probability 0.
    """

    def __init__(self, counts: Tensor) -> None:
        smoothed = counts.double() + 1
        self.log_probability = (smoothed / smoothed.sum()).log().float()  # (V,)
        self.most_frequent = int(counts.argmax())

    def sums(self, target: Tensor, counted: Tensor) -> dict[str, Tensor]:
        """Its loss and its number of right predictions, for the sums of an evaluation.

        Args:
            target: Ids, int64 (M,); anything where they are not counted.
            counted: Bool (M,).
        """
        self.log_probability = self.log_probability.to(target.device)
        losses = -self.log_probability[target.where(counted, target.new_zeros(()))]
        right = (target == self.most_frequent) & counted
        return {
            "unigram_loss": (to_float64(losses) * counted).sum(),
            "unigram_accuracy": right.sum(),
        }


def unigram_means(means: dict[str, Tensor]) -> dict[str, Tensor]:
    """The means of an evaluation with the unigram's in place of the model's."""
    return means | {n: means[f"unigram_{n}"] for n in ("loss", "accuracy")}


class LearnsUnigram:
    """A task with this baseline, once its tokens are counted (`LearnsBaseline`)."""

    unigram: Unigram | None = None

    def learn_baseline(self, counts: Tensor) -> None:
        """Called once, with the tokens of the training split."""
        self.unigram = Unigram(counts)

    def _unigram_sums(self, target: Tensor, counted: Tensor) -> dict[str, Tensor]:
        return {} if self.unigram is None else self.unigram.sums(target, counted)


def count_tokens(tokens: Tensor, vocab_size: int) -> Tensor:
    """How often each id occurs, int64 (V,), on the CPU."""
    return torch.bincount(tokens.flatten().cpu(), minlength=vocab_size)
