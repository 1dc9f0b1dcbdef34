"""word2vec's objectives: positive pairs of words against negative samples.

Skip-gram predicts each neighbour from the word, CBOW the word from the mean of its neighbours
(Mikolov et al., 2013, https://arxiv.org/abs/1301.3781, https://arxiv.org/abs/1310.4546). Both
classify a pair: it occurred in the text, or its context was drawn at random.
Differs from the authors' program: all words of a block of 16 share their negative samples, which
are weighted so that the expected loss is the same; one that happens to be the positive word counts
as negative, as in the papers' formula.
Shapes: B sequences, T tokens, G blocks, C words in a block, M words around it, P candidates for a
positive pair, R of them for each word, S negative samples.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.kernels import band, banded_logistic_loss
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.capabilities import Points
from zoo.tasks.examples import word_vectors
from zoo.tasks.plots.word_vectors import WordNeighbours
from zoo.tasks.unigram import unigram_means
from zoo.tasks.word_windows import NO_WORD, WordWindows


class SkipGramBatch(NamedTuple):
    """The positive and negative pairs of a batch.

    Attributes:
        words: int64 (G, C or M): the input words.
        context_weights: (G, C, M), or None: weights of the sums of their vectors that are scored.
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
    """The base of skip-gram and CBOW.

    Args:
        tokenizer: Ids to words and back.
        token_counts: Occurrences of each word in the training split (from word tokenizers).
        eot_id: The id between documents, if any.
        window: The largest context window; that of each word is drawn from 1 to `window`.
        negatives: Negative samples for each positive pair.
        shared: Negative samples drawn for each block of 16 words; more is slower and less noisy.
        sample: Words above this frequency are subsampled; 0 for none.
        noise_power: Negative samples are drawn by the words' frequency to this power.
    """

    monitor = "-loss"
    why_none = (
        "no two of its words are kept: they are unknown, or so frequent that they are left out; "
        "task.sample=0 keeps all, or give more text"
    )

    def __init__(
        self,
        tokenizer: Any,
        token_counts: list[int] | None = None,
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
        if token_counts is None:
            raise UserError(
                "word vectors are learnt from running text by words, and this data states no "
                f"counts of words (its tokenizer: {tokenizer.kind}); take data=text, pydoc, ... "
                "with data.tokenizer=word"
            )
        counts = torch.tensor(token_counts)
        counts[list({NO_WORD, *tokenizer.specials.values()})] = 0
        if not counts.any():
            raise UserError("the training text has no words to learn vectors of")
        self.windows = WordWindows(counts, eot_id, window, sample, noise_power)
        self.neighbours = WordNeighbours(counts, tokenizer, sample)
        self.negatives, self.shared = negatives, shared
        self.frequency_scores = self.windows.frequency_scores(counts, negatives)

    def build_pairs(self, text: Tensor) -> SkipGramBatch:
        """Pairs of a batch of sequences, int64 (B, T)."""
        raise NotImplementedError

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1), without the last token of each sequence."""
        pairs = self.build_pairs(batch["input"][:, :-1])
        scores = model(pairs.words, pairs.candidates, pairs.context_weights)  # (G, C, P + S)
        loss = banded_logistic_loss(scores, pairs.positives, pairs.negatives)
        self.frequency_scores = self.frequency_scores.to(scores.device)  # once, in training
        if model.training:
            return StepOutput(loss, pairs.total, {})
        sums = {"accuracy": self._ranking_accuracy(scores, pairs)}
        trivial = self.frequency_scores[pairs.candidates][:, None].expand_as(scores).contiguous()
        sums["unigram_loss"] = banded_logistic_loss(trivial, pairs.positives, pairs.negatives)
        sums["unigram_accuracy"] = self._ranking_accuracy(trivial, pairs)
        return StepOutput(loss, pairs.total, sums)

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """Each candidate by its frequency in the training split, whatever the word beside it: how
        much more often it is a true neighbour than a negative sample."""
        return Baseline("unigram", self.summarize(unigram_means(means)))

    def count(self, batch: Batch) -> Tensor:
        """How many positive pairs a batch has: none, where all words are unknown or drop out."""
        return self.build_pairs(batch["input"][:, :-1]).total

    def _ranking_accuracy(self, scores: Tensor, pairs: SkipGramBatch) -> Tensor:
        """The fraction of the block's negative samples that score lower, and half of those that
        score the same (such as the very word), summed over all positive pairs."""
        negatives = scores[..., -self.shared :].sort(2).values  # (G, C, S)
        candidates = band(scores, pairs.positives.shape[2]).contiguous()
        lower = torch.searchsorted(negatives, candidates)  # (G, C, R)
        not_higher = torch.searchsorted(negatives, candidates, right=True)
        return ((lower + not_higher) * pairs.positives).sum() / (2 * self.shared)

    def _add_negatives(
        self,
        words: Tensor,
        context_weights: Tensor | None,
        candidates: Tensor,
        positives: Tensor,
        count: Tensor,
    ) -> SkipGramBatch:
        """Add negative samples, with a total weight of `negatives` for each of the `count`
        (G, C, 1) positive pairs of a word."""
        samples = self.windows.noise(len(words), self.shared)  # (G, S)
        candidates = torch.cat([candidates, samples], 1)
        weight = count * (self.negatives / self.shared)
        return SkipGramBatch(words, context_weights, candidates, positives, weight, count.sum())

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per positive pair and its negative samples; accuracy (evaluation): the
        probability that a positive pair scores above a negative one, 0.5 for random vectors."""
        return {name: float(means[name]) for name in ("loss", "accuracy") if name in means}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The nearest neighbours of some frequent words, and a map of frequent words."""
        self.neighbours.draw(model, writer)

    def points(self, model: nn.Module, batch: Batch) -> Points | None:
        """The vectors of the most frequent words."""
        return self.neighbours.points(model)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """For each sequence, the words nearest to the mean vector of its words."""
        for text in batch["input"]:
            yield {"nearest": self.neighbours.of_text(model, text)}

    def respond(self, model: nn.Module, input: str, top: int = 5) -> Iterator[dict[str, Any]]:
        """The words nearest to a word, or to a sum such as `king - man + woman`.

        Args:
            model: The model.
            input: Words joined by + and -; several queries are separated by commas.
            top: How many words to return for each query.

        Raises:
            UserError: A word that is not in the vocabulary, words without a sign between them.
        """
        yield from self.neighbours.query(model, input, top)


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
