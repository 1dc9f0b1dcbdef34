"""Tagging: a tag for each word of a sentence (token classification).

Networks are trained by the cross-entropy of each word's tag. A model that has a probability for
whole sentences (`ModelsSentences`, as a hidden Markov model) is trained by that; its cross-entropy
given all words stands beside it in evaluations, as `tag_loss`.
Shapes: B sentences, T tokens, K tags, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.kernels import IGNORE_INDEX, cross_entropy
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput, to_float64
from zoo.tasks.class_metrics import class_rows, macro_f1
from zoo.tasks.examples import tagging
from zoo.tasks.markdown import block
from zoo.tasks.plots import confusion, tags
from zoo.tasks.spans import span_f1, spans_of

PREVIEWED = 12  # sentences


@runtime_checkable
class ModelsSentences(Protocol):
    """A model whose `forward(tokens, tags)` gives the summed -log p(words, tags) of sentences."""

    def best_tags(self, tokens: Tensor) -> Tensor:
        """The likeliest tags of each sentence as a whole, int64 (B, T)."""


def sentence_model(model: nn.Module) -> ModelsSentences | None:
    """The model, if it has a probability for sentences; wrappers count as what they hold."""
    inner = getattr(model, "module", model)
    return inner if isinstance(inner, ModelsSentences) else None


@TASKS.register("tagging", example=tagging, floor=0.1, independent=True)
class Tagging:
    """Cross-entropy of tags, or the likelihood of sentences; accuracy, macro F1, F1 of names.

    Args:
        vocab_size: V.
        pad_id: Id that fills up shorter sentences.
        tag_names: Of the K tags.
        tag_counts: Words that have each, in the training split.
        tokenizer: Ids to text.
        cut_text: A text to its words, their ids, and the word that begins at each id.
    """

    monitor = "accuracy"
    why_none = "none of its words has a tag"

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        tag_names: list[str],
        tag_counts: list[int],
        tokenizer: Any,
        cut_text: Any,
    ) -> None:
        self.vocab_size, self.pad_id, self.tag_names = vocab_size, pad_id, tag_names
        self.tokenizer, self.cut_text = tokenizer, cut_text
        self.tag_counts = torch.tensor(tag_counts)
        self.spans = spans_of(tag_names)
        self.by_word: Tensor | None = None  # log p(tag | word), (V, K), once it is counted
        self.word_frequency = torch.zeros(vocab_size)  # log p(word)

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` and `target` (B, T), `IGNORE_INDEX` where there is none."""
        tokens, target = batch["input"], batch["target"]
        known, of_sentences = target != IGNORE_INDEX, sentence_model(model)
        if of_sentences is not None and model.training:
            return StepOutput(model(tokens, target), (tokens != self.pad_id).sum(), {})
        logits = self._logits(model, tokens)
        predicted = of_sentences.best_tags(tokens) if of_sentences else logits.argmax(2)
        loss, count = cross_entropy(logits.flatten(0, 1), target.flatten()), known.sum()
        sums = {"right": ((predicted == target) & known).sum(), "tagged": count}
        if not model.training:
            sums |= {"confusion": self._confusion(target, predicted)}
            sums |= self.spans.sums(target, predicted) if self.spans else {}
            sums |= self._baseline_sums(tokens, target)
        if of_sentences is None:
            return StepOutput(loss, count, sums)
        sums["tag_loss"] = loss
        return StepOutput(model(tokens, target), (tokens != self.pad_id).sum(), sums)

    def _logits(self, model: nn.Module, tokens: Tensor) -> Tensor:
        """Of each tag for each token, (B, T, K).

        Raises:
            UserError: The model predicts something else.
        """
        logits: Tensor = model(tokens)
        if logits.shape != (*tokens.shape, len(self.tag_names)):
            raise UserError(
                f"task=tagging needs a model that gives each of the {len(self.tag_names)} tags a "
                f"score for each word, and this one gives {tuple(logits.shape)} for "
                f"{tuple(tokens.shape)} words; take model=rnn, bert or hmm"
            )
        return logits

    def _confusion(self, target: Tensor, predicted: Tensor) -> Tensor:
        """Words by true and predicted tag, int64 (K, K); those without a tag are left out."""
        known = target != IGNORE_INDEX
        size = len(self.tag_names)
        pairs = (target * size + predicted).where(known, 0).flatten()
        counts = pairs.new_zeros(size**2)  # torch.bincount would make a GPU wait
        return counts.scatter_add_(0, pairs, known.flatten().long()).view(size, size)

    def _baseline_sums(self, tokens: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What the most frequent tag of each word reaches."""
        if self.by_word is None:
            return {}
        self.by_word = self.by_word.to(tokens.device)  # once
        self.word_frequency = self.word_frequency.to(tokens.device)
        shares = self.by_word[tokens]  # (B, T, K)
        words = self.word_frequency[tokens].masked_fill(tokens == self.pad_id, 0.0)
        spans = self.spans.sums(target, shares.argmax(2), "word_") if self.spans else {}
        losses = cross_entropy(shares.flatten(0, 1), target.flatten())
        return spans | {
            "word_confusion": self._confusion(target, shares.argmax(2)),
            "word_tag_loss": to_float64(losses),
            "word_loss": -to_float64(words).sum(),
        }

    def count(self, batch: Batch) -> Tensor:
        """How many words of a batch have a tag."""
        return (batch["target"] != IGNORE_INDEX).sum()

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token has each tag, and how often it has none: (V, K + 1)."""
        tokens, target = batch["input"].flatten().cpu(), batch["target"].flatten().cpu()
        columns = len(self.tag_names) + 1
        tags = target.where(target != IGNORE_INDEX, columns - 1)
        pairs = (tokens * columns + tags)[tokens != self.pad_id]
        return torch.bincount(pairs, minlength=self.vocab_size * columns).view(-1, columns)

    def learn_baseline(self, counts: Tensor) -> None:
        """Called once, with the counts of the training split.

        Tags of a word are mixed with those of all, as if it had been seen once more; words that
        were never seen have the tag that is most frequent overall.
        """
        tags = counts[:, :-1].double()
        overall = (tags.sum(0) + 1) / (tags.sum() + tags.shape[1])
        self.by_word = ((tags + overall) / (tags.sum(1, keepdim=True) + 1)).log().float()
        words = counts.sum(1).double() + 1
        self.word_frequency = (words / words.sum()).log().float()

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """For each word the tag that it has most often in the training split."""
        if "word_confusion" not in means:
            return None
        counts = self._counts(means, "word_confusion")
        trivial = means | {"confusion": means["word_confusion"], "loss": means["word_tag_loss"]}
        if "tag_loss" in means:  # the loss of words and tags
            trivial["loss"] = means["word_tag_loss"] + means["word_loss"]
            trivial["tag_loss"] = means["word_tag_loss"] * means["count"] / counts.sum()
        trivial |= {"right": means["word_confusion"].diag().sum()}
        spans = ("spans", "spans_predicted", "spans_right")
        trivial |= {name: means[f"word_{name}"] for name in spans if name in means}
        return Baseline("most frequent tag of each word", self.summarize(trivial))

    def _counts(self, means: dict[str, Tensor], name: str = "confusion") -> Tensor:
        """Words by true and predicted tag, float64 (K, K)."""
        return (means[name].double() * means["count"]).round()

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss, accuracy of tags, macro F1; F1 of names, where the tags are B- and I-; of models of
        sentences also the loss of tags alone."""
        metrics = {"loss": float(means["loss"])}
        if "tagged" in means:
            metrics["accuracy"] = float(means["right"] / means["tagged"])
        if "confusion" in means:
            counts = self._counts(means)
            metrics["macro_f1"] = macro_f1(counts)
            if self.spans:
                metrics["span_f1"] = span_f1(means)
            if "tag_loss" in means:
                metrics["tag_loss"] = float(means["tag_loss"] * means["count"] / counts.sum())
        return metrics

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Precision, recall, F1 and words of each tag, the confusion matrix as counts, and how
        often the tag is right that is most frequent in the training split."""
        counts = self._counts(means).long()
        most = int(self.tag_counts.argmax())
        share = int(counts[most].sum()) / max(1, int(counts.sum()))
        return {
            "classes": class_rows(counts, self.tag_names),
            "confusion": counts.tolist(),
            "majority": {"tag": self.tag_names[most], "accuracy": share},
        }

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The confusion matrix; sentences with their tags in colour, and as text."""
        counts = self._counts(means).long().cpu()
        card = confusion.confusion_card(counts, self.tag_names)
        full = confusion.confusion(counts, self.tag_names)
        writer.figure("confusion", card, full, confusion.CAPTION)
        every = max(1, len(batch["input"]) // PREVIEWED)  # spread over the batch
        tokens, target = (batch[name][::every][:PREVIEWED] for name in ("input", "target"))
        predicted, _ = self._tags(model, tokens)
        rows = zip(tokens.tolist(), target.tolist(), predicted.tolist(), strict=True)
        sentences = [self._shown(*row) for row in rows]
        figures = tags.card(sentences, self.tag_names), tags.figure(sentences, self.tag_names)
        writer.figure("tags", *figures, tags.CAPTION)
        writer.text("tags", "\n\n---\n\n".join(block(self._marked(one)) for one in sentences))

    def _shown(
        self, tokens: list[int], target: list[int], predicted: list[int]
    ) -> list[tags.TaggedWord]:
        """The words of a sentence with their true and predicted tags."""
        rows = zip(tokens, target, predicted, strict=True)
        return [(self.tokenizer.token(i), t, p) for i, t, p in rows if t != IGNORE_INDEX]

    def _marked(self, sentence: list[tags.TaggedWord]) -> str:
        """A sentence in which words with a wrong tag are `{words: predicted, not true}`."""
        names = self.tag_names
        return " ".join(
            " ".join(words)
            if true == guess
            else f"{{{' '.join(words)}: {names[guess]}, not {names[true]}}}"
            for words, true, guess in tags.runs(sentence)
        )

    def _tags(self, model: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted tags, int64 (B, T), and the probability of each tag, (B, T, K)."""
        probabilities = self._logits(model, tokens).float().softmax(2)
        of_sentences = sentence_model(model)
        best = of_sentences.best_tags(tokens) if of_sentences else probabilities.argmax(2)
        return best, probabilities

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The tag of each token of each sentence."""
        best, _ = self._tags(model, batch["input"])
        for tokens, row in zip(batch["input"].tolist(), best.tolist(), strict=True):
            pairs = zip(tokens, row, strict=True)
            yield {"tags": [self.tag_names[tag] for i, tag in pairs if i != self.pad_id]}

    def respond(self, model: nn.Module, input: str) -> Iterator[dict[str, Any]]:
        """Each word of a text with its tag and the tags' probabilities.

        Args:
            model: The model.
            input: The text.

        Raises:
            UserError: It has no word.
        """
        device = next(model.parameters()).device
        for piece in self.cut_text(input):
            best, probabilities = self._tags(model, torch.tensor(piece.ids[None]).long().to(device))
            rows = zip(piece.begins.tolist(), best[0].tolist(), probabilities[0].tolist())
            for number, tag, row in rows:
                if number >= 0:
                    yield {
                        "word": piece.words[number],
                        "tag": self.tag_names[tag],
                        "probability": row[tag],
                        "probabilities": dict(zip(self.tag_names, row, strict=True)),
                    }
