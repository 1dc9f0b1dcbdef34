"""Contrastive learning of images and texts: each finds its other half among those of the batch.

Radford et al., 2021, https://arxiv.org/abs/2103.00020; the loss is that of van den Oord et al.
(2018, https://arxiv.org/abs/1807.03748) in both directions. Where several samples of a batch have
the same caption, or the same image, each of them is right, with equal shares (Khosla et al., 2020,
arXiv:2004.11362).
Shapes: B batch, M samples of all ranks, D width, T tokens, C captions to choose from.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Fraction, Positive
from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, StepOutput, WholeBatchTask, no_autocast
from zoo.tasks.capabilities import PreviewWriter
from zoo.tasks.examples import SAMPLES, MakeTokenizer, TaskExample, Tiny
from zoo.tasks.pixels import to_draw
from zoo.tasks.plots.matches import draw_matches
from zoo.tasks.retrieval import CHANCE, chances, retrieval

PAD, UNKNOWN = "<pad>", "<unk>"


class WordCaptions:
    """Captions of the example: words to ids and back, as the data's `captions` do."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length = tokenizer, length
        self.pad_id, self.unknown_id = (tokenizer.specials[name] for name in (PAD, UNKNOWN))

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Int64 (N, T)."""
        rows = torch.full((len(texts), self.length), self.pad_id)
        for row, text in zip(rows, texts, strict=True):
            ids = self.tokenizer.encode(text)
            row[: len(ids)] = torch.from_numpy(ids)
        return rows

    def decode(self, row: Tensor) -> str:
        """The text of a row of ids."""
        return str(self.tokenizer.decode(row.tolist()))


def example(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random images; each has a caption of its own, of two words."""
    words = [chr(97 + k) for k in range(tiny["vocab_size"] - 2)]
    tokenizer = make_tokenizer("word", [" ".join(words)], specials=[PAD])
    captions = WordCaptions(tokenizer, tiny["block_size"])
    group = torch.arange(SAMPLES)
    texts = captions.encode([f"{words[k]} {words[(k * k + 1) % 9]}" for k in range(SAMPLES)])
    images = torch.randn(SAMPLES, *tiny["input_shape"])
    batch = {"input": images, "caption": texts, "group": group, "place": group}
    return TaskExample(
        {"captions": captions}, batch, lambda batch: (batch["input"], batch["caption"])
    )


@TASKS.register("contrastive", example=example, floor=0.5, independent=True)
class Contrastive(WholeBatchTask):
    """The mean of two cross-entropies, of captions for each image and of images for each caption.

    Reports how often the right caption of all of a split is the first or among the first five
    (`caption_recall_1`, `caption_recall_5`), likewise the pictures of each caption; and, where the
    captions have an order (code points), the accuracy among the nearest ones. The loss and
    `accuracy` are of one batch, whose size they depend on: batches are larger in evaluation.

    Args:
        captions: Texts to ids and back.
        word_dropout: Probability that a word is not told in training, so that captions are learnt
            by each of their words.
        candidates: Captions to choose from for `neighbour_accuracy`: the right one and the nearest.
        prompts: Texts that stand for classes; evaluation then classifies the images whose captions
            contain one of them, by the nearest: `prompt_accuracy`.
        pixel_mean, pixel_std: Of each channel, by which images are standardised.
    """

    monitor = "caption_recall_1"

    def __init__(
        self,
        captions: Any,
        word_dropout: Fraction = 0.0,
        candidates: Positive = 10,
        prompts: list[str] | None = None,
        pixel_mean: list[float] | None = None,
        pixel_std: list[float] | None = None,
    ) -> None:
        self.captions, self.word_dropout, self.candidates = captions, word_dropout, candidates
        self.pixel_mean, self.pixel_std = pixel_mean, pixel_std
        if candidates < 2:
            raise UserError(f"task.candidates={candidates}: expected 2 or more to choose from")
        self.prompts = list(dict.fromkeys(prompts or []))
        if len(self.prompts) == 1:
            raise UserError(
                f"task.prompts={prompts}: expected two different captions or more to choose from"
            )

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, C, H, W), `caption` (B, T) and `group` (B,): the number
        of a caption, the same for equal ones; where images occur several times also `picture` (B,),
        likewise of the image."""
        captions = self._with_dropout(batch["caption"]) if model.training else batch["caption"]
        images, texts = (x.float() for x in model(batch["input"], captions))  # (B, D)
        (all_images, _), (all_texts, _) = self.gather(images), self.gather(texts)  # (M, D)
        same = self._belong_together(batch)  # (B, M)
        with no_autocast(images.device):
            to_texts, to_images = images @ all_texts.T, texts @ all_images.T  # (B, M)
        right = same / same.sum(1, keepdim=True)  # (B, M), rows add up to 1
        loss = F.cross_entropy(to_texts, right, reduction="sum")
        loss = (loss + F.cross_entropy(to_images, right, reduction="sum")) / 2
        count = torch.full((), len(images), device=images.device)
        with torch.no_grad():
            sums = {"accuracy": same.gather(1, to_texts.argmax(1, keepdim=True)).sum()}
            if model.training:
                return StepOutput(loss, count, sums)
            sums |= chances(same)
            rows = {"image": F.normalize(images, dim=1), "text": texts, "group": batch["group"]}
            rows |= {name: batch[name] for name in ("place", "picture") if name in batch}
            if self.prompts:
                sums |= self._prompt_sums(model, batch)
        return StepOutput(loss, count, sums, rows)

    def _belong_together(self, batch: Batch) -> Tensor:
        """Whether samples have the caption, or the image, of one of all ranks, bool (B, M)."""
        numbers = [batch[name] for name in ("group", "picture") if name in batch]
        same = [own[:, None] == self.gather(own)[0] for own in numbers]
        return torch.stack(same).any(0)

    def _with_dropout(self, tokens: Tensor) -> Tensor:
        """(B, T) with some words unknown, but never all of a caption's."""
        if not self.word_dropout:
            return tokens
        is_word = tokens != self.captions.pad_id
        dropped = is_word & (torch.rand(tokens.shape, device=tokens.device) < self.word_dropout)
        dropped = dropped & (dropped.sum(1) < is_word.sum(1))[:, None]
        return torch.where(dropped, self.captions.unknown_id, tokens)

    def _prompt_sums(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of each prompt, (C,): how many images have it in their caption, and no other; how many of
        them are classified right. Words that the vocabulary lacks are in no caption: all are one
        token, whichever they are."""
        prompts, pad_id = self._prompt_rows(batch), self.captions.pad_id
        unknown = ((prompts == self.captions.unknown_id) & (prompts != pad_id)).any(1)  # (C,)
        has = contains(batch["caption"], prompts, pad_id) & ~unknown  # (B, C)
        decided = has & (has.sum(1) == 1)[:, None]
        nearest = self.similarities(model, batch["input"], self.prompts).argmax(1)  # (B,)
        right = decided & (nearest[:, None] == torch.arange(has.shape[1], device=has.device))
        return {"prompt": decided.sum(0), "prompt_right": right.sum(0)}

    def _prompt_rows(self, batch: Batch) -> Tensor:
        return self.captions.encode(self.prompts).to(batch["caption"].device)

    def similarities(self, model: nn.Module, images: Tensor, captions: Sequence[str]) -> Tensor:
        """Logits of C captions for each prepared image, (B, C)."""
        parts: Any = getattr(model, "module", model)
        tokens = self.captions.encode(captions).to(images.device)
        vectors = (parts.scale() * parts.encode_images(images)).float()
        texts = parts.encode_texts(tokens).float()
        with no_autocast(images.device):
            return vectors @ texts.T

    def split_metrics(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """Retrieval over the whole split, and what chance would reach."""
        return retrieval(rows, self.candidates)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss, accuracy in a batch, recalls over the split, accuracy among neighbours."""
        omitted = ("count", "prompt", "prompt_right")
        names = [n for n in means if n not in omitted and not n.startswith(CHANCE)]
        metrics = {name: float(means[name]) for name in names}
        if "prompt" in means:
            metrics["prompt_accuracy"] = _ratio(means["prompt_right"].sum(), means["prompt"].sum())
        return metrics

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """A guess among the captions, or images, there are; of prompts the most frequent one."""
        metrics = {n.removeprefix(CHANCE): float(v) for n, v in means.items() if CHANCE in n}
        if "prompt" in means:
            metrics["prompt_accuracy"] = _ratio(means["prompt"].max(), means["prompt"].sum())
        return Baseline("chance", metrics)

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Of each prompt, how many images have it in their caption, and the part that is right."""
        if "prompt" not in means:
            return {}
        found, right = (
            (means[name] * means["count"]).round().tolist() for name in ("prompt", "prompt_right")
        )
        rows = zip(self.prompts, found, right, strict=True)
        return {
            "prompts": {p: {"images": int(n), "right": r / n if n else 0.0} for p, n, r in rows}
        }

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Images with the captions nearest to them, and similarities of images and captions."""
        images, texts = (x.float() for x in model(batch["input"], batch["caption"]))
        names = [self.captions.decode(row) for row in batch["caption"]]
        numbers = batch["group"], batch.get("picture")
        pixels = to_draw(batch["input"], self.pixel_mean, self.pixel_std)
        draw_matches(pixels, images, texts, *numbers, names, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The vector of each image, of length 1."""
        parts: Any = getattr(model, "module", model)
        for row in parts.encode_images(batch["input"]).float().tolist():
            yield {"vector": row}


def contains(captions: Tensor, prompts: Tensor, pad_id: int) -> Tensor:
    """Whether each caption (B, T) has the tokens of each prompt (C, T) in a row: (B, C)."""
    found = []
    for prompt in prompts:
        words = prompt[prompt != pad_id]
        windows = captions.unfold(1, len(words), 1)  # (B, positions, words)
        found.append((windows == words).all(2).any(1))
    return torch.stack(found, 1)


def _ratio(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if float(whole) else float("nan")
