"""word2vec's objectives: tell a word's true neighbours from noise words.

Skip-gram guesses each neighbour from the word, CBOW the word from the mean of its neighbours
(Mikolov et al., 2013, https://arxiv.org/abs/1301.3781, https://arxiv.org/abs/1310.4546). Both say
of a pair whether it stood in the text or was drawn at random.
Differs from the authors' program: the noise words of a block of 16 words are common to them all,
and weighted so that the expected loss is the same; a noise word that happens to be the true one
counts as noise, as the formula has it.
Shapes: B texts, T tokens, G blocks, C words in a block, M words around it, P candidates for a
true word, R of them for each word, S noise words.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Batch, Pictures, StepOutput
from zoo.tasks.plots.word_vectors import WordNeighbours
from zoo.tasks.word_windows import NO_WORD, WordWindows, band


class Question(NamedTuple):
    """What the model is asked of a batch.

    Attributes:
        words: int64 (G, C or M): whose vectors are taken.
        mix: (G, C, M), or None: the mixtures of them that are scored.
        against: int64 (G, P + S): candidates, the last S of them noise.
        true: (G, C, R): at j for row c, 1 where candidate c + j is a true one, else 0.
        noise: (G, C, 1): how much each noise word weighs.
        count: Scalar: predictions, each of one true word among `negatives` noise words.
    """

    words: Tensor
    mix: Tensor | None
    against: Tensor
    true: Tensor
    noise: Tensor
    count: Tensor


class WeightedLogistic(torch.autograd.Function):
    """Sum of -log sigmoid(score) over true pairs and of -log sigmoid(-score) over noise, weighted.

    By hand, since one sigmoid serves the loss and its gradient, and only a band of the candidates
    may be true.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, true: Tensor, noise: Tensor) -> Tensor:
        """Scalar, float32 at least.

        Args:
            ctx: Torch's.
            scores: (G, C, P + S), P = C + R - 1.
            true: Weights (G, C, R) of the scores c to c + R - 1 of each row c.
            noise: Weights (G, C, 1) of the last S.
        """
        words, width = true.shape[1:]
        size = scores.shape[2] - (words + width - 1)  # S
        weights = torch.cat([true, noise.expand(-1, -1, size)], 2)  # (G, C, R + S)
        right = torch.cat([band(scores, width), -scores[..., -size:]], 2)
        right = right.to(torch.promote_types(scores.dtype, torch.float32))
        right.sigmoid_()  # the probability of the truth
        ctx.save_for_backward(right, weights)
        ctx.like = scores.shape, scores.dtype, width
        return -right.log().mul_(weights).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        """(p - 1) w for a true pair and (1 - p) w for noise, p the probability of the truth."""
        right, weights = ctx.saved_tensors
        shape, dtype, width = ctx.like
        wrong = (right - 1).mul_(weights).mul_(gradient)  # (G, C, R + S)
        slopes = right.new_zeros(shape, dtype=dtype)
        band(slopes, width).copy_(wrong[..., :width])
        slopes[..., shape[1] + width - 1 :] = -wrong[..., width:]
        return slopes, None, None


class WordVectors:
    """What skip-gram and CBOW have in common.

    Args:
        token_counts: How often each word occurs in the training split (word tokenizers state it).
        tokenizer: Ids to words and back.
        eot_id: The id between documents, if any.
        window: A word's neighbours lie up to 1 to `window` words away, drawn anew for each.
        negatives: Noise words for each true one.
        shared: Noise words drawn for each block of 16 words; more is slower and less noisy.
        sample: Words more frequent than this share of the text are thinned out; 0 for none.
        noise_power: Noise words are as frequent as in the text, to this power.
    """

    monitor = "-loss"

    def __init__(
        self,
        token_counts: list[int],
        tokenizer: Any,
        eot_id: int | None = None,
        window: int = 5,
        negatives: int = 5,
        shared: int = 6,
        sample: float = 1e-3,
        noise_power: float = 0.75,
    ) -> None:
        for name, value in (("window", window), ("negatives", negatives), ("shared", shared)):
            if value < 1:
                raise UserError(f"task.{name}: got {value}, expected 1 or more")
        if sample < 0:
            raise UserError(f"task.sample: got {sample:g}, expected 0 (keep all words) or more")
        counts = torch.tensor(token_counts)
        counts[list({NO_WORD, *tokenizer.specials.values()})] = 0
        if not counts.any():
            raise UserError("the training text has no words to learn vectors of")
        self.windows = WordWindows(counts, eot_id, window, sample, noise_power)
        self.neighbours = WordNeighbours(counts, tokenizer, sample)
        self.negatives, self.shared = negatives, shared

    def question(self, text: Tensor) -> Question:
        """What to ask about a text, int64 (B, T)."""
        raise NotImplementedError

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1), whose last token is the next window's first."""
        asked = self.question(batch["input"][:, :-1])
        scores = model(asked.words, asked.against, asked.mix)  # (G, C, N)
        loss = WeightedLogistic.apply(scores, asked.true, asked.noise)
        sums = {} if model.training else {"accuracy": self._told_apart(scores, asked.true)}
        return StepOutput(loss, asked.count.clamp(min=1), sums)  # a text may have no pair at all

    def _told_apart(self, scores: Tensor, true: Tensor) -> Tensor:
        """Over all true pairs, the sum of the shares of the block's noise that scores lower."""
        noise = scores[..., -self.shared :].sort(2).values  # (G, C, S)
        candidates = band(scores, true.shape[2]).contiguous()
        lower = torch.searchsorted(noise, candidates)  # (G, C, R)
        return (lower * true).sum() / self.shared

    def _ask(
        self, words: Tensor, mix: Tensor | None, candidates: Tensor, true: Tensor, pairs: Tensor
    ) -> Question:
        """With noise, that weighs as `negatives` words for each of the `pairs` (G, C, 1)."""
        noise = self.windows.noise(len(words), self.shared)  # (G, S)
        against = torch.cat([candidates, noise], 1)
        weight = pairs * (self.negatives / self.shared)
        return Question(words, mix, against, true, weight, pairs.sum())

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per true word and its noise; accuracy (evaluation): how often a true word
        scores above a noise word, 0.5 for guesses."""
        return {name: float(mean) for name, mean in means.items() if name != "count"}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], pictures: Pictures
    ) -> None:
        """The nearest words of some frequent ones, and a map of frequent words."""
        self.neighbours.draw(model, pictures)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """Per text, the words nearest to the mean of its own."""
        for text in batch["input"]:
            yield {"nearest": self.neighbours.of_text(model, text)}

    def respond(self, model: nn.Module, input: str, top: int = 5) -> Iterator[dict[str, Any]]:
        """The words nearest to a word, or to a sum such as `king - man + woman`.

        Args:
            model: The model.
            input: Words with + and - between; several questions with commas between.
            top: How many words to name for each.

        Raises:
            UserError: A word that is not in the vocabulary, words without a sign between.
        """
        yield from self.neighbours.answers(model, input, top)


@TASKS.register("skip_gram")
class SkipGram(WordVectors):
    """Guess each neighbour from the word."""

    def question(self, text: Tensor) -> Question:
        """The words of each block against the words around it and its noise."""
        centres, around, near = self.windows.blocks(text)
        return self._ask(centres, None, around, near, near.sum(2, keepdim=True))


@TASKS.register("cbow")
class CBOW(WordVectors):
    """Guess the word from the mean of its neighbours."""

    def question(self, text: Tensor) -> Question:
        """The mean of the neighbours of each word of a block against these words and noise."""
        centres, around, near = self.windows.blocks(text)
        neighbours = near.sum(2, keepdim=True)  # (G, C, 1)
        mix = near.new_zeros(*centres.shape, around.shape[1])
        band(mix, near.shape[2]).copy_(near / neighbours.clamp(min=1))
        known = (neighbours > 0).to(near.dtype)
        return self._ask(around, mix, centres, known, known)
