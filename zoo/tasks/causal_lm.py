"""Causal language modelling: predict each token from those before it."""

import math
import time
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.inference.expert_load import counted_experts, shares
from zoo.inference.generation import Sampling
from zoo.inference.protocols import LanguageModel
from zoo.inference.streaming import stream
from zoo.kernels import IGNORE_INDEX, cross_entropy
from zoo.registry import TASKS
from zoo.tasks.base import (
    Baseline,
    Batch,
    PreviewWriter,
    StepOutput,
    accepts_targets,
    context_of,
    document_options,
)
from zoo.tasks.examples import causal_lm
from zoo.tasks.markdown import block
from zoo.tasks.options import RanksOptions
from zoo.tasks.plots.attention import text_attention
from zoo.tasks.plots.experts import expert_load
from zoo.tasks.prompt import encode_prompt, first_ids
from zoo.tasks.unigram import LearnsUnigram, count_tokens, unigram_means

PREVIEW_TOKENS = 250
PREVIEW_SECONDS = 3.0  # large models write less


@TASKS.register("causal_lm", example=causal_lm, floor=0.1, independent=True)
class CausalLM(LearnsUnigram, RanksOptions):
    """Cross-entropy of the next token; perplexity, and bits per byte, which compares tokenizers.

    Args:
        token_bytes: UTF-8 bytes of text that each id stands for.
        tokenizer: Ids to text and back, for samples.
        eot_id: The id between two documents: a sample may begin after it, and ends before it, or
            before another of the tokenizer's `ends`.
        template: The text around a prompt (`{prompt}`), where the data has prompts and responses.
        chat: Messages to ids, where the data has conversations.
    """

    monitor = "-loss"
    why_none = "no token of it is scored; give other text"

    def __init__(
        self,
        token_bytes: list[int],
        tokenizer: Any,
        eot_id: int | None = None,
        template: str | None = None,
        chat: Any = None,
    ) -> None:
        self.tokenizer, self.eot_id, self.template = tokenizer, eot_id, template
        self.chat = chat
        self.bytes = torch.tensor(token_bytes)

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1): T input tokens, and for each the next one as its
        target. With `scored`, bool (B, T), only the targets that it marks count; with `documents`
        (B, T + 1), those of a row do not see each other."""
        tokens, target = batch["input"][:, :-1], batch["input"][:, 1:].flatten()  # (B, T), (B T,)
        self.bytes = self.bytes.to(target.device)
        length, count = self.bytes[target], torch.full((), len(target), device=target.device)
        if "scored" in batch:
            scored = batch["scored"].flatten()
            target = torch.where(scored, target, IGNORE_INDEX)
            length, count = length * scored, scored.sum()
        sums, options = {"bytes": length.sum()}, document_options(model, batch)
        with counted_experts(model, batch.get("scored")) as experts:
            if model.training and accepts_targets(model):
                return StepOutput(model(tokens, targets=target, **options), count, sums)
            logits = model(tokens, **options).flatten(0, 1)  # (B T, V)
        if not model.training:
            sums |= experts
            sums["accuracy"] = (logits.argmax(1) == target).sum()
            sums |= self._unigram_sums(target, target != IGNORE_INDEX)
        return StepOutput(cross_entropy(logits, target), count, sums)

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token is predicted."""
        target = batch["input"][:, 1:]
        return count_tokens(
            target[batch["scored"]] if "scored" in batch else target, len(self.bytes)
        )

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """Each token by its frequency in the training split, whatever stands before it."""
        if "unigram_loss" not in means:
            return None
        return Baseline("unigram", self.summarize(unigram_means(means)))

    def count(self, batch: Batch) -> Tensor:
        """How many tokens of a batch are predicted."""
        scored = batch.get("scored", batch["input"][:, 1:] >= 0)
        return scored.sum()

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per token, perplexity, bits per byte; in evaluation accuracy, and of experts
        the load of the least busy one over its fair share."""
        loss = float(means["loss"])
        metrics = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        if float(means["bytes"]) > 0:
            metrics["bits_per_byte"] = loss / math.log(2) / float(means["bytes"])
        if "accuracy" in means:
            metrics["accuracy"] = float(means["accuracy"])
        if "expert_load" in means:
            metrics["least_expert"] = float(shares(means["expert_load"]).min())
        return metrics

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """A continuation of half a sequence, or the answer to a prompt; attention weights; the load
        of experts."""
        tokens = batch["input"][0, :-1]
        length = len(tokens) // 2
        if "scored" in batch:
            length = int(batch["scored"][0].int().argmax()) + 1
        prompt = tokens[: max(1, length)].tolist()
        pieces, start = [], time.perf_counter()
        sampling = Sampling(temperature=0.8)
        for _, piece in self._generate(model, prompt, PREVIEW_TOKENS, sampling):
            pieces.append(piece)
            if time.perf_counter() - start > PREVIEW_SECONDS:
                break
        texts = {"text": self.tokenizer.decode(prompt), "model": "".join(pieces)}
        blocks = (f"{name}:\n\n{block(text)}" for name, text in texts.items())
        writer.text("sample", "\n\n".join(blocks) + "\n")
        text_attention(model, tokens, self.tokenizer, writer)
        if "expert_load" in means:
            expert_load(means["expert_load"], writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The most probable next tokens of each sequence."""
        for row in model(batch["input"])[:, -1].float().softmax(-1):
            top = row.topk(min(5, len(row)))
            tokens = [self.tokenizer.token(i) for i in top.indices.tolist()]
            yield {"next": tokens[0], "probabilities": dict(zip(tokens, top.values.tolist()))}

    def respond(
        self,
        model: nn.Module,
        input: str | list[dict[str, str]],
        max_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        stop: str | list[str] | None = None,
        seed: int = 0,
        samples: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """Continue a text; yields it in pieces as they are generated.

        Args:
            model: The model, in evaluation mode.
            input: The prompt; may be empty. Of conversations a user's message, or all messages.
            max_tokens: Tokens to generate; fewer if the model ends the text itself.
            temperature, top_k, top_p, repetition_penalty, seed: As in `Sampling`.
            stop: One or more strings; the text ends before the first that occurs.
            samples: Number of continuations, with seeds seed, seed + 1, ...

        Raises:
            UserError: An option out of range, a prompt that the tokenizer or the model refuses.
        """
        for name, value in (("max_tokens", max_tokens), ("samples", samples)):
            if value < 1:
                raise UserError(f"{name}={value}: expected 1 or more")
        prompt = self._prompt(input, context_of(model))
        stops = [stop] if isinstance(stop, str) else stop or []
        for k in range(samples):
            try:
                sampling = Sampling(temperature, top_k, top_p, repetition_penalty, seed + k)
            except ValueError as error:
                raise UserError(str(error)) from None
            label: dict[str, Any] = {"sample": k + 1} if samples > 1 else {}
            yield label | {"text": ""}  # one row at least, even if the text ends at once
            for _, piece in self._generate(model, prompt, max_tokens, sampling, stops):
                yield label | {"text": piece}

    def _generate(
        self,
        model: nn.Module,
        prompt: list[int],
        max_tokens: int,
        sampling: Sampling,
        stop: list[str] | None = None,
    ) -> Iterator[tuple[int, str]]:
        decode, writer = self.tokenizer.decode, cast(LanguageModel, model)
        return stream(writer, decode, [prompt], max_tokens, sampling, stop or [], self.ends)

    def _prompt(self, text: str | list[dict[str, str]], context: int | None) -> list[int]:
        """Ids of a prompt; for an empty one, the id that precedes a text."""
        ids = encode_prompt(self.tokenizer, self.template, text, context, self.chat)
        return ids or first_ids(self.tokenizer, self.eot_id)
