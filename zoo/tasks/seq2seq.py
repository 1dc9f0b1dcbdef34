"""Sequence to sequence: write the target text, given the source text. Translation, for one.

Training reads the right beginning of each target and predicts its next token (teacher forcing).
Evaluation lets the model write on its own as well: the quick way (greedy search) wherever figures
choose the best weights (validation), by beam search in `test_step` (test split, other data).

BLEU (Papineni et al., 2002, https://aclanthology.org/P02-1040) is sacrebleu's, on plain text with
its default tokenisation (Post, 2018, arXiv:1804.08771). It is a figure of the whole corpus: batches
and ranks add up counts, and the score is computed once.
Shapes: B pairs, S and T tokens of source and target, M predictions, V vocabulary.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.inference.search import Hypothesis, beam_search, greedy_search
from zoo.kernels import cross_entropy, select_labels, trim_padding
from zoo.registry import TASKS
from zoo.tasks.base import Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import seq2seq
from zoo.tasks.plots.attention import pair_attention

PREVIEWED = 8  # sentences
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"  # sacrebleu's defaults


@TASKS.register("seq2seq", example=seq2seq, floor=0.1, independent=True)
class Seq2Seq:
    """Cross-entropy of the next target token; token accuracy, exact matches, BLEU.

    Args:
        tokenizer: Ids to text and back.
        pad_id, bos_id, eos_id: Fills up shorter texts on the right; begins, ends every text.
        max_length: The most tokens of either side, those two counted in.
        label_smoothing: Share of the target spread over all tokens, in training only (Szegedy et
            al., 2016, arXiv:1512.00567).
        metric: What chooses the best weights. `bleu` reports exact matches, too; `exact_match` no
            BLEU; `loss` writes no text in validation.
        beam: Texts looked at side by side when judging (not in validation).
        length_penalty: Favours longer texts, as in `beam_search`.
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
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing: got {label_smoothing}, expected 0 to below 1")
        check_search(beam, length_penalty, 1, "task.")
        self.tokenizer, self.pad_id, self.max_length = tokenizer, pad_id, max_length
        self.ends = {"bos_id": bos_id, "eos_id": eos_id}
        self.label_smoothing, self.metric = label_smoothing, metric
        self.beam, self.length_penalty = beam, length_penalty
        self.monitor = "-loss" if metric == "loss" else metric

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `source` (B, S) and `target` (B, T), padded on the right."""
        output = self._loss(model, batch)
        if not model.training and self.metric != "loss":
            output.sums.update(self._text_sums(batch, self.write(model, batch["source"])))
        return output

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As `step`, for the test split: texts by beam search."""
        output = self._loss(model, batch)
        found = self.search(model, batch["source"], self.beam, self.length_penalty)
        texts = [self.tokenizer.decode(best[0].tokens) for best in found]
        output.sums.update(self._text_sums(batch, texts))
        return output

    def _loss(self, model: nn.Module, batch: Batch) -> StepOutput:
        source, target = self._trim(batch["source"]), self._trim(batch["target"])
        positions, labels, count = select_labels(target[:, 1:], self.pad_id)  # (M,)
        logits = model(source, target[:, :-1], positions=positions)  # (M, V)
        smoothing = self.label_smoothing if model.training else 0.0
        loss = cross_entropy(logits, labels, smoothing)
        sums = {} if model.training else {"accuracy": (logits.argmax(1) == labels).sum()}
        return StepOutput(loss, torch.full((), count, device=loss.device), sums)

    def _trim(self, tokens: Tensor) -> Tensor:
        return trim_padding(tokens, self.pad_id, self.max_length)

    def _text_sums(self, batch: Batch, texts: list[str]) -> dict[str, Tensor]:
        """How many texts are right, of how many; and sacrebleu's counts."""
        references = [self.tokenizer.decode(row) for row in batch["target"].tolist()]
        right = sum(map(str.__eq__, texts, references))
        sums = {"exact_match": torch.tensor(right), "sentences": torch.tensor(len(texts))}
        return sums | ({"bleu": bleu_counts(texts, references)} if self.metric == "bleu" else {})

    def write(self, model: nn.Module, source: Tensor) -> list[str]:
        """Texts for sources (B, S), by greedy search."""
        source = self._trim(source)
        found = greedy_search(model, source, **self.ends, **self._limits())
        return [self.tokenizer.decode(ids) for ids in found]

    def search(
        self, model: nn.Module, source: Tensor, beam: int, length_penalty: float, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Texts for sources (B, S), by beam search, best first."""
        options = dict(beam=beam, length_penalty=length_penalty, n_best=n_best)
        return beam_search(model, self._trim(source), **self.ends, **self._limits(), **options)

    def _limits(self) -> dict[str, Any]:
        never = (self.pad_id, self.ends["bos_id"])
        return {"max_length": self.max_length - 1, "never": never}

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per token; in evaluation perplexity, accuracy, exact matches, BLEU."""
        figures = {"loss": float(means["loss"])}
        if "accuracy" in means:
            figures["perplexity"] = math.exp(min(figures["loss"], 700.0))
            figures["accuracy"] = float(means["accuracy"])
        if "sentences" in means:
            figures["exact_match"] = float(means["exact_match"] / means["sentences"])
        if "bleu" in means:
            figures["bleu"] = bleu_of(means["bleu"] * means["count"]).score
        return figures

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Of what the BLEU score is made, and sacrebleu's signature."""
        if "bleu" not in means:
            return {}
        from sacrebleu import __version__

        score = bleu_of(means["bleu"] * means["count"])
        return {
            "bleu": {
                "precisions": list(score.precisions),
                "brevity_penalty": score.bp,
                "signature": f"{SIGNATURE}|version:{__version__}",
            }
        }

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """What the model writes, beside what it should write."""
        first = {name: column[:PREVIEWED] for name, column in batch.items()}
        sources, references = (
            [self.tokenizer.decode(row) for row in first[side].tolist()]
            for side in ("source", "target")
        )
        rows = ["| source | reference | model |", "| --- | --- | --- |"]
        for cells in zip(sources, references, self.write(model, first["source"]), strict=True):
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        writer.text("texts", "\n".join(rows))
        source, target = (self._trim(first[side][:1])[0] for side in ("source", "target"))
        pair_attention(model, source, target[:-1], self.tokenizer, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """Per source, the best text and its score."""
        for best in self.search(model, batch["source"], self.beam, self.length_penalty):
            yield {"output": self.tokenizer.decode(best[0].tokens), "score": best[0].score}

    def respond(
        self,
        model: nn.Module,
        input: str,
        beam: int | None = None,
        length_penalty: float | None = None,
        n_best: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """The likeliest texts for a source text, with their length-normalised log-probabilities.

        Args:
            model: The model, in evaluation mode.
            input: The source text.
            beam, length_penalty: In place of the task's own.
            n_best: How many texts.

        Raises:
            UserError: An empty text, one longer than the model reads, an option out of its range.
        """
        beam = self.beam if beam is None else beam
        penalty = self.length_penalty if length_penalty is None else length_penalty
        check_search(beam, penalty, n_best)
        ids = self.tokenizer.encode(input.strip()).tolist()
        if not ids:
            raise UserError("input is empty; expected a text")
        if len(ids) + 2 > self.max_length:
            raise UserError(
                f"input: {len(ids)} tokens, and the model reads at most {self.max_length - 2}; "
                "give it a sentence at a time"
            )
        device = next(model.parameters()).device
        source = torch.tensor([[self.ends["bos_id"], *ids, self.ends["eos_id"]]], device=device)
        for one in self.search(model, source, beam, penalty, n_best)[0]:
            yield {"output": self.tokenizer.decode(one.tokens), "score": one.score}


def check_search(beam: int, length_penalty: float, n_best: int, prefix: str = "") -> None:
    """Refuse what `beam_search` cannot do.

    Raises:
        UserError: An option out of its range.
    """
    if beam < 1:
        raise UserError(f"{prefix}beam={beam}: expected 1 or more")
    if not length_penalty >= 0:
        raise UserError(f"{prefix}length_penalty={length_penalty}: expected 0 or more")
    if not 1 <= n_best <= beam:
        raise UserError(f"{prefix}n_best={n_best}: expected 1 to beam={beam}")


def bleu_counts(texts: list[str], references: list[str]) -> Tensor:
    """sacrebleu's counts of a part of a corpus: n-grams right, n-grams (n = 1 to 4), lengths."""
    from sacrebleu.metrics import BLEU

    score = BLEU(force=True).corpus_score(texts, [references])  # force: no word on tokenised text
    return torch.tensor([*score.counts, *score.totals, score.sys_len, score.ref_len])  # (10,)


def bleu_of(counts: Tensor) -> Any:
    """sacrebleu's BLEUScore of the summed counts of all parts (10,)."""
    from sacrebleu.metrics import BLEU

    numbers = [int(number) for number in counts.round().tolist()]
    return BLEU.compute_bleu(numbers[:4], numbers[4:8], *numbers[8:], smooth_method="exp")
