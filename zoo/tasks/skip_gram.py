"""word2vec's objectives: positive pairs of words against negative samples.

Skip-gram predicts each neighbour from the word, CBOW the word from the mean of its neighbours
(Mikolov et al., 2013, https://arxiv.org/abs/1301.3781, https://arxiv.org/abs/1310.4546). Both
classify a pair: it occurred in the text, or its context was drawn at random.
Differs from the authors' program: the negative samples of a block of 16 words are common to them
all, and weighted so that the expected loss is the same; one that happens to be the positive word
counts as negative, as the formula has it.
Shapes: B texts, T tokens, G blocks, C words in a block, M words around it, P candidates for a
positive pair, R of them for each word, S negative samples.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.kernels import band, banded_logistic_loss
from zoo.registry import TASKS
from zoo.tasks.base import Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import word_vectors
from zoo.tasks.plots.word_vectors import WordNeighbours
from zoo.tasks.word_windows import NO_WORD, WordWindows


class SkipGramBatch(NamedTuple):
    """Pairs of a batch of text.

    Attributes:
        words: int64 (G, C or M): whose vectors are taken.
        context_weights: (G, C, M), or None: the weighted sums of them that are scored.
        candidates: int64 (G, P + S): contexts, the last S of them negative samples.
        positives: (G, C, R): at j for row c, 1 where c and candidate c + j are a positive pair.
        negatives: (G, C, 1): the weight of each negative sample.
        total: Scalar: positive pairs, each with `negatives` negative samples.
    """

    words: Tensor
    context_weights: Tensor | None
    candidates: Tensor
    positives: Tensor
    negatives: Tensor
    total: Tensor


class WordVectors:
    """What skip-gram and CBOW have in common.

    Args:
        token_counts: How often each word occurs in the training split (word tokenizers state it).
        tokenizer: Ids to words and back.
        eot_id: The id between documents, if any.
        window: A word's neighbours lie up to 1 to `window` words away, drawn anew for each.
        negatives: Negative samples for each positive pair.
        shared: Negative samples drawn for each block of 16 words; more is slower and less noisy.
        sample: Words more frequent than this share of the text are thinned out; 0 for none.
        noise_power: Negative samples are as frequent as in the text, to this power.
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

    def build_pairs(self, text: Tensor) -> SkipGramBatch:
        """Pairs of a text, int64 (B, T)."""
        raise NotImplementedError

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1), whose last token is the next window's first."""
        pairs = self.build_pairs(batch["input"][:, :-1])
        scores = model(pairs.words, pairs.candidates, pairs.context_weights)  # (G, C, P + S)
        loss = banded_logistic_loss(scores, pairs.positives, pairs.negatives)
        sums = {} if model.training else {"accuracy": self._ranking_accuracy(scores, pairs)}
        return StepOutput(loss, pairs.total.clamp(min=1), sums)  # a text may have no pair at all

    def _ranking_accuracy(self, scores: Tensor, pairs: SkipGramBatch) -> Tensor:
        """Over all positive pairs, the sum of the fractions of the block's negative samples that
        score lower."""
        negatives = scores[..., -self.shared :].sort(2).values  # (G, C, S)
        candidates = band(scores, pairs.positives.shape[2]).contiguous()
        lower = torch.searchsorted(negatives, candidates)  # (G, C, R)
        return (lower * pairs.positives).sum() / self.shared

    def _add_negatives(
        self,
        words: Tensor,
        context_weights: Tensor | None,
        candidates: Tensor,
        positives: Tensor,
        count: Tensor,
    ) -> SkipGramBatch:
        """With negative samples, weighted as `negatives` for each of the `count` (G, C, 1) pairs of
        a word."""
        samples = self.windows.noise(len(words), self.shared)  # (G, S)
        candidates = torch.cat([candidates, samples], 1)
        weight = count * (self.negatives / self.shared)
        return SkipGramBatch(words, context_weights, candidates, positives, weight, count.sum())

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per positive pair and its negative samples; accuracy (evaluation): how often
        a positive pair scores above a negative one, 0.5 for guesses."""
        return {name: float(mean) for name, mean in means.items() if name != "count"}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The nearest words of some frequent ones, and a map of frequent words."""
        self.neighbours.draw(model, writer)

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


@TASKS.register("skip_gram", example=word_vectors, floor=0.1, independent=True)
class SkipGram(WordVectors):
    """Predict each neighbour from the word."""

    def build_pairs(self, text: Tensor) -> SkipGramBatch:
        """The words of each block, and as candidates the words around it."""
        centres, around, near = self.windows.blocks(text)
        return self._add_negatives(centres, None, around, near, near.sum(2, keepdim=True))


@TASKS.register("cbow", model="word2vec", example=word_vectors, floor=0.1, independent=True)
class CBOW(WordVectors):
    """Predict the word from the mean of its neighbours."""

    def build_pairs(self, text: Tensor) -> SkipGramBatch:
        """The mean of the neighbours of each word of a block, and as candidates these words."""
        centres, around, near = self.windows.blocks(text)
        neighbours = near.sum(2, keepdim=True)  # (G, C, 1)
        weights = near.new_zeros(*centres.shape, around.shape[1])
        band(weights, near.shape[2]).copy_(near / neighbours.clamp(min=1))
        known = (neighbours > 0).to(near.dtype)
        return self._add_negatives(around, weights, centres, known, known)
