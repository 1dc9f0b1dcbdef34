"""Sequence to sequence: generate the target text from the source text, as in translation.

Training predicts each target token from the correct tokens before it (teacher forcing). Evaluation
generates targets as well: by greedy search in validation, which is frequent, and by beam search in
`test_step` (test split, other data).

BLEU is sacrebleu's, on plain text (zoo.tasks.bleu). It is a metric of the whole corpus: batches and
ranks add up counts, and the score is computed once.
Shapes: B pairs, S and T tokens of source and target, M predictions, V vocabulary.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.inference.protocols import EncoderDecoder
from zoo.inference.search import Hypothesis, beam_search, greedy_search
from zoo.kernels import IGNORE_INDEX, cross_entropy, select_labels, trim_padding
from zoo.registry import TASKS
from zoo.tasks import bleu
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.bleu import BleuTokenizer
from zoo.tasks.examples import seq2seq
from zoo.tasks.markdown import table
from zoo.tasks.plots.attention import pair_attention
from zoo.tasks.smoothing import smoothing_excess
from zoo.tasks.unigram import LearnsUnigram, count_tokens, unigram_means

PREVIEWED = 8  # pairs
COPY = "copy_"  # names the sums of the sources taken as the targets


@TASKS.register("seq2seq", example=seq2seq, floor=0.1, independent=True)
class Seq2Seq(LearnsUnigram):
    """Cross-entropy of the next target token; token accuracy, exact matches, BLEU.

    Args:
        tokenizer: Ids to text and back.
        pad_id, bos_id, eos_id: Pads shorter sequences on the right; begins and ends every sequence.
        max_length: The most tokens of a source or target, including those two.
        label_smoothing: Fraction of the target spread over all tokens, in training only (Szegedy et
            al., 2016, arXiv:1512.00567).
        metric: Selects the best weights. `bleu` reports exact matches, too; `exact_match` no BLEU;
            `loss` generates no text in validation.
        beam: Beam width on the test split (validation is greedy).
        length_penalty: Favours longer targets, as in `beam_search`.
        bleu_tokenizer: How BLEU cuts text into tokens, by sacrebleu's names; `auto` chooses by the
            targets' script: 13a where words have spaces between, zh for Chinese, else char.
        target_script: The script of the targets, if it has no spaces between words.
        target_lengths: Words, and characters, of the longest target.
    """

    def __init__(
        self,
        tokenizer: Any,
        pad_id: int,
        bos_id: int,
        eos_id: int,
        max_length: int,
        label_smoothing: float = 0.0,
        metric: Literal["bleu", "exact_match", "loss"] = "bleu",
        beam: int = 4,
        length_penalty: float = 0.6,
        bleu_tokenizer: BleuTokenizer = "auto",
        target_script: str | None = None,
        target_lengths: Sequence[int] | None = None,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing: got {label_smoothing}, expected 0 to below 1")
        check_search(beam, length_penalty, 1, "task.")
        self.tokenizer, self.pad_id, self.max_length = tokenizer, pad_id, max_length
        self.bos_id, self.eos_id = bos_id, eos_id
        self.label_smoothing, self.metric = label_smoothing, metric
        self.beam, self.length_penalty = beam, length_penalty
        self.bleu_tokenizer = bleu.bleu_tokenizer(bleu_tokenizer, target_script)
        self.target_script, self.target_lengths = target_script, target_lengths
        self.monitor = "-loss" if metric == "loss" else metric

    @property
    def notes(self) -> list[str]:
        """How BLEU is computed, for the header of a run."""
        if self.metric != "bleu":
            return []
        chosen = f"task.bleu_tokenizer={self.bleu_tokenizer}"
        script = f" for {self.target_script} targets" if self.target_script else ""
        notes = [f"BLEU by {chosen}{script}: {bleu.signature(self.bleu_tokenizer)}"]
        words, characters = self.target_lengths or (bleu.ORDER, bleu.ORDER)
        longest = characters if self.bleu_tokenizer in ("zh", "char") else words
        if longest < bleu.ORDER:
            notes.append(
                f"BLEU compares {bleu.ORDER} tokens in a row, and the longest target has "
                f"{longest}: it will be 0 whatever is generated; set task.metric=exact_match"
            )
        return notes

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `source` (B, S) and `target` (B, T), padded on the right."""
        output = self._loss(model, batch)
        if not model.training and self.metric != "loss":
            output.sums.update(self._text_sums(batch, self.generate(model, batch["source"])))
        return output

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As `step`, for the test split: targets by beam search."""
        output = self._loss(model, batch)
        hypotheses = self.search(model, batch["source"], self.beam, self.length_penalty)
        texts = [self.tokenizer.decode(best.tokens) for best, *_ in hypotheses]
        output.sums.update(self._text_sums(batch, texts))
        return output

    def _loss(self, model: nn.Module, batch: Batch) -> StepOutput:
        source, target = self._trim(batch["source"]), self._trim(batch["target"])
        positions, labels, count = select_labels(target[:, 1:], self.pad_id)  # (M,)
        logits = model(source, target[:, :-1], positions=positions)  # (M, V)
        if not model.training:
            sums = {"accuracy": (logits.argmax(1) == labels).sum()}
            sums |= self._unigram_sums(labels, labels != IGNORE_INDEX)
            return StepOutput(cross_entropy(logits, labels), count, sums)
        if not self.label_smoothing:
            return StepOutput(cross_entropy(logits, labels), count, {})
        excess = smoothing_excess(logits, labels, self.label_smoothing).sum()
        loss = cross_entropy(logits, labels, self.label_smoothing)
        return StepOutput(loss, count, {"loss": loss.detach() - excess})  # as validation reports it

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token is predicted."""
        target = batch["target"][:, 1:]
        return count_tokens(target[target != self.pad_id], self.tokenizer.vocab_size)

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """The source as it stands for the target; and for the loss, each token by its frequency in
        the training split."""
        if "unigram_loss" not in means:
            return None
        copies = {n.removeprefix(COPY): x for n, x in means.items() if n.startswith(COPY)}
        name = "unigram; copy of the source" if copies else "unigram"
        return Baseline(name, self.summarize(unigram_means(means) | copies))

    def _trim(self, tokens: Tensor) -> Tensor:
        return trim_padding(tokens, self.pad_id, self.max_length)

    def _text_sums(self, batch: Batch, texts: list[str]) -> dict[str, Tensor]:
        """The number of exact matches and of sentences, and sacrebleu's counts."""
        references = [self.tokenizer.decode(row) for row in batch["target"].tolist()]
        matches = sum(map(str.__eq__, texts, references))
        sums = {"exact_match": torch.tensor(matches), "sentences": torch.tensor(len(texts))}
        return sums | self._bleu_counts(texts, references) | self._copy_sums(batch, references)

    def _copy_sums(self, batch: Batch, references: list[str]) -> dict[str, Tensor]:
        """As `_text_sums`, of the sources."""
        texts = [self.tokenizer.decode(row) for row in batch["source"].tolist()]
        matches = torch.tensor(sum(map(str.__eq__, texts, references)))
        sums = {"exact_match": matches} | self._bleu_counts(texts, references)
        return {f"{COPY}{name}": value for name, value in sums.items()}

    def _bleu_counts(self, texts: list[str], references: list[str]) -> dict[str, Tensor]:
        if self.metric != "bleu":
            return {}
        return {"bleu": bleu.bleu_counts(texts, references, self.bleu_tokenizer)}

    def generate(self, model: nn.Module, source: Tensor) -> list[str]:
        """Target texts of sources (B, S), by greedy search."""
        targets = greedy_search(
            cast(EncoderDecoder, model),
            self._trim(source),
            self.bos_id,
            self.eos_id,
            self.max_length - 1,
            self._never(),
        )
        return [self.tokenizer.decode(ids) for ids in targets]

    def search(
        self, model: nn.Module, source: Tensor, beam: int, length_penalty: float, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Target texts of sources (B, S), by beam search, best first."""
        return beam_search(
            cast(EncoderDecoder, model),
            self._trim(source),
            self.bos_id,
            self.eos_id,
            self.max_length - 1,
            self._never(),
            beam,
            length_penalty,
            n_best,
        )

    def encode(self, text: str) -> list[int]:
        """Ids of a source text, without the first and the last."""
        return self.tokenizer.encode(text).tolist()

    def _never(self) -> tuple[int, ...]:
        """Ids that are not generated."""
        return self.pad_id, self.bos_id

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per token; in evaluation perplexity, accuracy, exact matches, BLEU."""
        metrics = {"loss": float(means["loss"])}
        if "accuracy" in means:
            metrics["perplexity"] = math.exp(min(metrics["loss"], 700.0))
            metrics["accuracy"] = float(means["accuracy"])
        if "sentences" in means:
            metrics["exact_match"] = float(means["exact_match"] / means["sentences"])
        if "bleu" in means:
            metrics["bleu"] = bleu.bleu_of(means["bleu"] * means["count"]).score
        return metrics

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """The parts of the BLEU score, and sacrebleu's signature."""
        if "bleu" not in means:
            return {}
        score = bleu.bleu_of(means["bleu"] * means["count"])
        return {
            "bleu": {
                "precisions": list(score.precisions),
                "brevity_penalty": score.bp,
                "signature": bleu.signature(self.bleu_tokenizer),
            }
        }

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Sources, references and generated texts; attention weights of the first pair."""
        first = {name: column[:PREVIEWED] for name, column in batch.items()}
        sources, references = (
            [self.tokenizer.decode(row) for row in first[side].tolist()]
            for side in ("source", "target")
        )
        answers = self.generate(model, first["source"])
        rows = zip(sources, references, answers, strict=True)
        writer.text("texts", table(("source", "reference", "model"), rows))
        source, target = (first[side][0] for side in ("source", "target"))
        source, target = (ids[ids != self.pad_id] for ids in (source, target))
        pair_attention(model, source, target[:-1], self.tokenizer, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The best text for each source, and its score."""
        for best, *_ in self.search(model, batch["source"], self.beam, self.length_penalty):
            yield {"output": self.tokenizer.decode(best.tokens), "score": best.score}

    def respond(
        self,
        model: nn.Module,
        input: str,
        beam: int | None = None,
        length_penalty: float | None = None,
        n_best: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """The most probable targets of a source text, their length-normalised log-probabilities.

        Args:
            model: The model, in evaluation mode.
            input: The source text.
            beam, length_penalty: Instead of the task's own.
            n_best: Number of target texts.

        Raises:
            UserError: An empty text, one longer than the model reads, an option out of range.
        """
        beam = self.beam if beam is None else beam
        penalty = self.length_penalty if length_penalty is None else length_penalty
        check_search(beam, penalty, n_best)
        ids = self.encode(input.strip())
        if not ids:
            raise UserError("input is empty; expected a text")
        if len(ids) + 2 > self.max_length:
            raise UserError(
                f"input: {len(ids)} tokens, and the model reads at most {self.max_length - 2}; "
                "give it a sentence at a time"
            )
        device = next(model.parameters()).device
        source = torch.tensor([[self.bos_id, *ids, self.eos_id]], device=device)
        (hypotheses,) = self.search(model, source, beam, penalty, n_best)
        for hypothesis in hypotheses:
            yield {"output": self.tokenizer.decode(hypothesis.tokens), "score": hypothesis.score}


def check_search(beam: int, length_penalty: float, n_best: int, prefix: str = "") -> None:
    """Check the options of `beam_search`.

    Raises:
        UserError: An option out of range.
    """
    if beam < 1:
        raise UserError(f"{prefix}beam={beam}: expected 1 or more")
    if not length_penalty >= 0:
        raise UserError(f"{prefix}length_penalty={length_penalty}: expected 0 or more")
    if not 1 <= n_best <= beam:
        raise UserError(f"{prefix}n_best={n_best}: expected 1 to beam={beam}")
