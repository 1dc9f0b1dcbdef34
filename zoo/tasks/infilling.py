"""Text infilling: reconstruct a text in which masks stand for whole spans.

Lewis et al., 2019, BART, https://arxiv.org/abs/1910.13461: the denoising objective that it found
best. An encoder reads the text with its gaps, a decoder writes all of it: how much is missing at a
mask is not told.
Differs from the paper: spans of tokens instead of words, and no order of sentences to restore.
Shapes: B texts, T tokens, S tokens with gaps.
"""

import string
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.kernels import IGNORE_INDEX, cross_entropy
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import SAMPLES, MakeTokenizer, TaskExample, Tiny
from zoo.tasks.markdown import table
from zoo.tasks.masked_text import MASK, encode_masked
from zoo.tasks.masking import keys
from zoo.tasks.seq2seq import PREVIEWED, Seq2Seq
from zoo.tasks.spans_to_fill import text_length, with_gaps
from zoo.tasks.unigram import count_tokens, unigram_means


def example(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Each text repeats one token, so what is visible tells what is hidden."""
    size, length = tiny["vocab_size"], tiny["max_length"] - 2
    specials = ["<pad>", "<s>", "</s>", MASK]
    letters = string.ascii_lowercase[: size - len(specials)]
    tokenizer = make_tokenizer("char", [letters], specials=specials)
    ids = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "mask_id": 3}
    facts = {"tokenizer": tokenizer, "max_length": length + 2} | ids
    tokens = 4 + torch.arange(SAMPLES)[:, None] % len(letters)
    return TaskExample(facts, {"input": tokens.repeat(1, length + 1)}, _whole, (length, size))


def _whole(batch: Any) -> tuple[Tensor, Tensor]:
    return batch["input"][:, :-1], batch["input"][:, :-1]


@TASKS.register("infilling", model="transformer", example=example, floor=0.1, independent=True)
class Infilling(Seq2Seq):
    """Cross-entropy of all tokens of the text; their accuracy, and that of the hidden ones.

    Args:
        tokenizer: Ids to text and back.
        pad_id, bos_id, eos_id: Pads shorter sequences on the right; begins and ends every sequence.
        max_length: The most tokens of a text, including those two.
        mask_id: Id of `[MASK]`.
        mask_rate: Fraction of the tokens that are hidden.
        span_length: Mean length of the spans that one mask stands for, in tokens.
        beam: Beam width of answers.
        length_penalty: Favours longer answers, as in `beam_search`.
    """

    def __init__(
        self,
        tokenizer: Any,
        pad_id: int,
        bos_id: int,
        eos_id: int,
        max_length: int,
        mask_id: int,
        mask_rate: float = 0.3,
        span_length: float = 3.0,
        beam: int = 4,
        length_penalty: float = 0.6,
    ) -> None:
        if not 0 < mask_rate < 1:
            raise UserError(f"task.mask_rate={mask_rate}: expected between 0 and 1, as 0.3")
        if not 0 < span_length <= 100:
            raise UserError(f"task.span_length={span_length}: expected above 0, at most 100")
        super().__init__(
            tokenizer, pad_id, bos_id, eos_id, max_length, metric="loss", beam=beam,
            length_penalty=length_penalty,
        )  # fmt: skip
        self.mask_id, self.mask_rate, self.span_length = mask_id, mask_rate, span_length

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Sources and targets of `input` (B, T + 1), whose last token is left out; some are shorter
        than T (`text_length`).

        Returns:
            Texts with gaps (B, S) and whole texts (B, T + 2), both with their first and last token
            and padded on the right; and which of the tokens after the first are hidden, (B, T + 1).
        """
        tokens = batch["input"][:, :-1]
        texts, seeds = self._texts(tokens)
        rows = [
            with_gaps(text, seed, self.mask_rate, self.span_length, self.mask_id)
            for text, seed in zip(texts, seeds, strict=True)
        ]
        sources = self._framed([shown for shown, _ in rows], max(len(shown) for shown, _ in rows))
        targets = self._framed(texts, tokens.shape[1])
        hidden = [flags + [False] * (tokens.shape[1] + 1 - len(flags)) for _, flags in rows]
        source, target, gaps = (
            torch.tensor(part, device=tokens.device) for part in (sources, targets, hidden)
        )
        return source, target, gaps

    def _texts(self, tokens: Tensor) -> tuple[list[list[int]], list[int]]:
        """The text of each window (B, T), and the number that its gaps follow from."""
        seeds = keys(tokens)[:, 0].tolist()
        rows = zip(tokens.tolist(), seeds, strict=True)
        return [row[: text_length(len(row), seed)] for row, seed in rows], seeds

    def _framed(self, texts: list[list[int]], width: int) -> list[list[int]]:
        """Texts with their first and last token, padded to `width` tokens besides."""
        return [
            [self.bos_id, *text, self.eos_id] + [self.pad_id] * (width - len(text))
            for text in texts
        ]

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over the tokens of a batch of `input` (B, T + 1).

        Raises:
            UserError: The model has no decoder.
        """
        if not callable(getattr(getattr(model, "module", model), "decode", None)):
            raise UserError(
                "task=infilling needs a model that reads one text and writes another; take "
                "model=transformer or rnn_attention"
            )
        source, target, hidden = self.pairs(batch)
        logits = model(source, target[:, :-1]).flatten(0, 1)  # (B (T + 1), V)
        labels = target[:, 1:].flatten()
        is_text = labels != self.pad_id
        loss, count = cross_entropy(logits, labels.where(is_text, IGNORE_INDEX)), is_text.sum()
        if model.training:
            return StepOutput(loss, count, {})
        right = (logits.argmax(1) == labels) & is_text
        sums = {"accuracy": right.sum(), "filled": (right & hidden.flatten()).sum()}
        sums |= {"hidden": hidden.sum()} | self._unigram_sums(labels, is_text)
        if self.unigram is not None:
            guess = labels == self.unigram.most_frequent
            sums["unigram_filled"] = (guess & hidden.flatten()).sum()
        return StepOutput(loss, count, sums)

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As `step`."""
        return self.step(model, batch)

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token is written, the end of each text included."""
        texts, _ = self._texts(batch["input"][:, :-1])
        written = [token for text in texts for token in (*text, self.eos_id)]
        return count_tokens(torch.tensor(written), self.tokenizer.vocab_size)

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """Each token by its frequency in the training split."""
        if "unigram_loss" not in means:
            return None
        trivial = unigram_means(means) | {"filled": means["unigram_filled"]}
        return Baseline("unigram", self.summarize(trivial))

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per token; in evaluation perplexity, accuracy, that of hidden tokens."""
        metrics = super().summarize(means)
        if "hidden" in means:
            metrics["filled_accuracy"] = float(means["filled"] / means["hidden"])
        return metrics

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Texts with gaps, what they were, and what the model writes."""
        source, target, _ = self.pairs({"input": batch["input"][:PREVIEWED]})
        texts = [self._shown(row) for row in source.tolist()]
        whole = [self.tokenizer.decode(row) for row in target.tolist()]
        rows = zip(texts, whole, self.generate(model, source), strict=True)
        writer.text("texts", table(("with gaps", "text", "model"), rows))

    def _shown(self, row: list[int]) -> str:
        """The text of ids, masks included."""
        parts: list[list[int]] = [[]]
        for number in row:
            if number == self.mask_id:
                parts.append([])
            else:
                parts[-1].append(number)
        return MASK.join(self.tokenizer.decode(part) for part in parts)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The best text for each one as it is."""
        column = torch.ones_like(batch["input"][:, :1])
        source = torch.cat([column * self.bos_id, batch["input"], column * self.eos_id], 1)
        yield from super().predict(model, {"source": source})

    def encode(self, text: str) -> list[int]:
        """Ids of a text, in which `[MASK]` stands for anything that is missing."""
        return encode_masked(text, self.tokenizer, self.mask_id)

    def _never(self) -> tuple[int, ...]:
        return (*super()._never(), self.mask_id)
