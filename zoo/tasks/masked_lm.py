"""Masked language modelling: predict masked tokens from the tokens on both sides of them.

Devlin et al., 2019, https://arxiv.org/abs/1810.04805.
Shapes: B sequences, T tokens, M masked positions, V vocabulary.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.kernels import IGNORE_INDEX, cross_entropy
from zoo.registry import TASKS
from zoo.tasks.base import (
    Baseline,
    Batch,
    PreviewWriter,
    StepOutput,
    document_options,
)
from zoo.tasks.examples import masked_lm
from zoo.tasks.markdown import block
from zoo.tasks.masked_text import encode_masked
from zoo.tasks.masking import SHARES, MaskedBatch, mask_tokens
from zoo.tasks.next_sentence import (
    check_length,
    padded_loss,
    pair_answer,
    pair_logits,
    pair_metrics,
    pair_options,
    pair_sums,
    pair_table,
    trivial_pairs,
)
from zoo.tasks.plots.attention import text_attention
from zoo.tasks.unigram import LearnsUnigram, count_tokens, unigram_means

EVALUATION_RATE = 0.15
PREVIEWED = 8  # sequences


def _checked(shares: Sequence[float]) -> Sequence[float]:
    """Shares of the tokens to predict.

    Raises:
        UserError: Not three, or not 1 together.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise UserError(
            f"task.shares={list(shares)}: expected three numbers that are 1 together ([MASK], a "
            f"random token, unchanged), as [0.8, 0.1, 0.1] or [1, 0, 0]"
        )
    return shares


@TASKS.register("masked_lm", example=masked_lm, floor=0.1, independent=True)
class MaskedLM(LearnsUnigram):
    """Cross-entropy of masked tokens; accuracy, and perplexity (of these tokens, not of the text).

    Args:
        vocab_size: V.
        tokenizer: Ids to text and back.
        mask_id: Id of `[MASK]`.
        mask_rate: Fraction of the tokens to predict in training. Evaluation always masks 15 %, so
            that runs with different rates can be compared.
        whole_word: Whether all tokens of a word are masked together.
        segmenter: What finds these words, Chinese ones too (Cui et al., 2019, arXiv:1906.08101);
            null: each token says by itself whether it begins a word.
        next_sentence: Whether batches are pairs of passages: the model also says whether the second
            follows the first, and the mean loss of that is added. Evaluation masks nothing for it.
        shares: Of the tokens to predict, how many become `[MASK]`, how many a random token, and how
            many stay; in evaluation too, so that losses of runs with different shares, as with and
            without whole words, do not compare: compare what they are good for afterwards.
        pad_id: Id of the padding, on the right of pairs of a short document.
    """

    monitor = "-loss"
    why_none = "each of its tokens is special or unknown; give other text, or another tokenizer"

    def __init__(
        self,
        vocab_size: int,
        tokenizer: Any,
        mask_id: int | None = None,
        mask_rate: float = 0.15,
        whole_word: bool = False,
        segmenter: Literal["jieba"] | None = None,
        shares: list[float] | None = None,
        next_sentence: bool = False,
        pad_id: int | None = None,
    ) -> None:
        if mask_id is None:
            raise UserError(
                "task=masked_lm needs a token [MASK], and the data reserves none; set "
                "data.mask_token=true"
            )
        if not 0 < mask_rate < 1:
            raise UserError(f"task.mask_rate={mask_rate}: expected between 0 and 1, as 0.15")
        self.vocab_size, self.tokenizer, self.mask_id = vocab_size, tokenizer, mask_id
        self.first_id, self.mask_rate = tokenizer.first_id, mask_rate
        self.shares = _checked(SHARES if shares is None else shares)
        self.next_sentence, self.pad_id = next_sentence, pad_id
        if next_sentence:
            self.monitor = "-total_loss"
        self.find_words = self.word_starts = None
        if segmenter is not None:
            if not whole_word:
                raise UserError(f"task.segmenter={segmenter} finds words; add task.whole_word=true")
            self.find_words = tokenizer.word_finder()
        elif whole_word:
            if tokenizer.kind in ("byte", "char"):
                raise UserError(
                    f"task.whole_word=true needs tokens that are words or parts of words, and "
                    f"data.tokenizer={tokenizer.kind} has none; take data.tokenizer=bpe, or for "
                    f"Chinese task.segmenter=jieba"
                )
            self.word_starts = torch.tensor(tokenizer.word_starts())

    def mask(self, batch: Batch, training: bool) -> MaskedBatch:
        """Mask tokens of `input` (B, T + 1), without the last one of each sequence."""
        tokens = batch["input"][:, :-1]
        rate = self.mask_rate if training else EVALUATION_RATE
        ids = self.mask_id, self.first_id, self.vocab_size
        return mask_tokens(tokens, rate, *ids, self._starts(tokens), self.shares, self.pad_id)

    def _starts(self, tokens: Tensor) -> Tensor | None:
        """Whether each of the tokens (B, T) begins a word; None where each is masked alone."""
        if self.find_words is not None:
            starts = self.find_words(tokens.cpu().numpy())
            return torch.from_numpy(starts).to(tokens.device)
        if self.word_starts is None:
            return None
        self.word_starts = self.word_starts.to(tokens.device)
        return self.word_starts[tokens]

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over the masked tokens of a batch of `input` (B, T + 1)."""
        masked = self.mask(batch, model.training)
        options = document_options(model, batch) | pair_options(batch)
        logits = model(masked.input_ids, positions=masked.positions, **options)  # (M, V)
        logits, follows = logits if "follows" in batch else (logits, None)
        loss = cross_entropy(logits, masked.labels)
        counted = masked.labels != IGNORE_INDEX
        count = counted.sum()
        sums = {}
        if follows is not None and not model.training:  # of whole texts, as `respond` is asked
            follows = pair_logits(model, batch["input"][:, :-1], options["types"])
        if follows is not None:  # both means are added: a pair counts as the tokens of its row
            sums = pair_sums(follows, batch["follows"]) | {"loss": loss.detach()}
            most = len(masked.positions) // len(follows)  # of a row without padding
            less = padded_loss(follows, batch["follows"], masked.counts - most)
            loss = loss + sums["next_loss"] * most + less
            sums["next_loss"] = sums["next_loss"].detach()
        if not model.training:
            sums["accuracy"] = (logits.argmax(1) == masked.labels).sum()
            sums |= self._unigram_sums(masked.labels, counted)
        return StepOutput(loss, count, sums)

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token occurs that may be masked."""
        tokens = batch["input"][:, :-1]
        return count_tokens(tokens[tokens >= self.first_id], self.vocab_size)

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """Each masked token by its frequency in the training split, whatever stands around it."""
        if "unigram_loss" not in means:
            return None
        trivial = unigram_means(means) | trivial_pairs(means)
        return Baseline("unigram", self.summarize(trivial))

    def count(self, batch: Batch) -> Tensor:
        """How many tokens of a batch are predicted: none, where all are special tokens.

        Raises:
            UserError: Sequences of one token, which has none beside it.
        """
        if batch["input"].shape[1] < 3:
            raise UserError(
                "data.block_size=1: a masked token is predicted from those around it; expected 2 "
                "or more"
            )
        return (self.mask(batch, training=False).labels != IGNORE_INDEX).sum()

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per masked token, perplexity, accuracy (evaluation)."""
        loss = float(means["loss"])
        metrics = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        if "accuracy" in means:
            metrics["accuracy"] = float(means["accuracy"])
        return metrics | pair_metrics(means)

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """A few sequences with predictions filled in: {correct}, or {predicted -> correct}; a few
        pairs with their answers."""
        batch = {name: column[:PREVIEWED] for name, column in batch.items()}
        masked = self.mask(batch, training=False)
        predicted = torch.full_like(masked.input_ids.flatten(), IGNORE_INDEX)
        options = pair_options(batch) | {"pairs": False} if self.next_sentence else {}
        logits = model(masked.input_ids, positions=masked.positions, **options)
        predicted[masked.positions] = logits.argmax(1)
        predicted[masked.positions[masked.labels == IGNORE_INDEX]] = IGNORE_INDEX
        rows = zip(batch["input"][:, :-1].tolist(), predicted.view_as(masked.input_ids).tolist())
        writer.text("blanks", "\n\n---\n\n".join(block(self._filled(*row)) for row in rows))
        if self.next_sentence:
            writer.text("pairs", pair_table(model, batch, self.tokenizer))
        text_attention(model, batch["input"][0, :-1], self.tokenizer, writer)

    def _filled(self, tokens: list[int], predicted: list[int]) -> str:
        """The text of a sequence, with predictions in braces where there are any."""
        texts: list[str] = []
        visible: list[int] = []
        for token, prediction in zip(tokens, predicted):
            if prediction == IGNORE_INDEX:
                visible.append(token)
                continue
            label = self.tokenizer.token(prediction)
            if prediction != token:
                label += f" -> {self.tokenizer.token(token)}"
            texts += [self.tokenizer.decode(visible), f"{{{label}}}"]
            visible = []
        texts.append(self.tokenizer.decode(visible))
        return (" " if self.tokenizer.kind == "word" else "").join(texts)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The most probable tokens at the last position of each sequence, if it were masked."""
        tokens = batch["input"].clone()
        tokens[:, -1] = self.mask_id
        for row in model(tokens)[:, -1].float().softmax(-1):
            yield self._candidates(row, 5)

    def respond(
        self, model: nn.Module, input: str, top: int = 5, second: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """For each `[MASK]` of a text, the most probable tokens and their probabilities.

        Args:
            model: The model.
            input: The text, with one or more `[MASK]`.
            top: How many tokens to return for each.
            second: Another text: the answer is whether it follows the first.

        Raises:
            UserError: No `[MASK]`, a text longer than the model's context, `top` out of range; a
                second text for a model that was trained without pairs.
        """
        if second is not None:
            if not self.next_sentence:
                raise UserError(
                    "second= needs a run with data.next_sentence=true, and this is none"
                )
            yield pair_answer(model, self.tokenizer, input, second)
            return
        if not 1 <= top <= self.vocab_size:
            raise UserError(f"top={top}: expected 1 to {self.vocab_size}, the vocabulary's size")
        ids = self.encode(input)
        if self.next_sentence:  # as it was trained: [CLS] text [SEP]
            ids = self.tokenizer.wrap(np.array(ids, np.int32), len(ids) + 2).tolist()
        check_length(model, len(ids))
        tokens = torch.tensor([ids]).to(next(model.parameters()).device)  # (1, T)
        positions = (tokens.flatten() == self.mask_id).nonzero().flatten()  # (M,)
        for k, row in enumerate(model(tokens, positions=positions).float().softmax(-1)):
            yield {"blank": k + 1} | self._candidates(row, top)

    def encode(self, text: str) -> list[int]:
        """Ids of a text that contains `[MASK]`."""
        return encode_masked(text, self.tokenizer, self.mask_id)

    def _candidates(self, probabilities: Tensor, top: int) -> dict[str, Any]:
        best = probabilities.topk(min(top, len(probabilities)))
        tokens = [self.tokenizer.token(i) for i in best.indices.tolist()]
        values = best.values.tolist()
        return {
            "token": tokens[0],
            "probability": values[0],
            "probabilities": dict(zip(tokens, values)),
        }
