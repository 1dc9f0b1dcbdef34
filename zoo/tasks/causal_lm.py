"""Causal language modelling: predict each token from those before it."""

import inspect
import math
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.inference.generation import Sampling
from zoo.inference.streaming import stream
from zoo.kernels import IGNORE_INDEX, cross_entropy
from zoo.registry import TASKS
from zoo.tasks.base import Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import causal_lm
from zoo.tasks.plots.attention import text_attention

PREVIEW_TOKENS = 250
PREVIEW_SECONDS = 3.0  # large models write less


@TASKS.register("causal_lm", example=causal_lm, floor=0.1, independent=True)
class CausalLM:
    """Cross-entropy of the next token; perplexity, and bits per byte, which compares tokenizers.

    Args:
        token_bytes: UTF-8 bytes of text that each id stands for.
        tokenizer: Ids to text and back, for samples.
        eot_id: The id between two documents: where a sample may begin, and where it ends.
        template: What stands around a prompt (`{prompt}`), where the data has prompts and
            responses.
    """

    monitor = "-loss"

    def __init__(
        self,
        token_bytes: list[int],
        tokenizer: Any,
        eot_id: int | None = None,
        template: str | None = None,
    ) -> None:
        self.tokenizer, self.eot_id, self.template = tokenizer, eot_id, template
        self.bytes = torch.tensor(token_bytes)

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1): T tokens to read, each one's next to predict;
        with `scored`, bool (B, T), those alone of which it says so."""
        tokens, target = batch["input"][:, :-1], batch["input"][:, 1:].flatten()  # (B, T), (B T,)
        self.bytes = self.bytes.to(target.device)
        length, count = self.bytes[target], torch.full((), len(target), device=target.device)
        if "scored" in batch:
            scored = batch["scored"].flatten()
            target = torch.where(scored, target, IGNORE_INDEX)
            length, count = length * scored, scored.sum()
        sums = {"bytes": length.sum()}
        own = getattr(model, "module", model)  # a compiled one would be compiled anew each step
        if model.training and "targets" in inspect.signature(own.forward).parameters:
            return StepOutput(model(tokens, targets=target), count, sums)
        logits = model(tokens).flatten(0, 1)  # (B T, V)
        if not model.training:
            sums["accuracy"] = (logits.argmax(1) == target).sum()
        return StepOutput(cross_entropy(logits, target), count, sums)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats per token, perplexity, bits per byte, accuracy (evaluation)."""
        loss = float(means["loss"])
        figures = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        if float(means["bytes"]) > 0:
            figures["bits_per_byte"] = loss / math.log(2) / float(means["bytes"])
        if "accuracy" in means:
            figures["accuracy"] = float(means["accuracy"])
        return figures

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """How the model goes on from half a window, or answers a prompt, and where it looks."""
        tokens = batch["input"][0, :-1]
        asked = len(tokens) // 2
        if "scored" in batch:
            asked = int(batch["scored"][0].int().argmax()) + 1
        prompt = tokens[: max(1, asked)].tolist()
        pieces, start = [], time.perf_counter()
        sampling = Sampling(temperature=0.8)
        for _, piece in self._write(model, prompt, PREVIEW_TOKENS, sampling):
            pieces.append(piece)
            if time.perf_counter() - start > PREVIEW_SECONDS:
                break
        parts = {"text": self.tokenizer.decode(prompt), "model": "".join(pieces)}
        shown = (
            f"{name}:\n\n{textwrap.indent(part, '    ', bool)}" for name, part in parts.items()
        )
        writer.text("sample", "\n\n".join(shown) + "\n")  # indented: Markdown keeps its lines
        text_attention(model, tokens, self.tokenizer, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """Per text, the likeliest next tokens."""
        for row in model(batch["input"])[:, -1].float().softmax(-1):
            top = row.topk(min(5, len(row)))
            tokens = [self.tokenizer.token(i) for i in top.indices.tolist()]
            yield {"next": tokens[0], "probabilities": dict(zip(tokens, top.values.tolist()))}

    def respond(
        self,
        model: nn.Module,
        input: str,
        max_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        stop: str | list[str] | None = None,
        seed: int = 0,
        samples: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """Continue a text, piece by piece.

        Args:
            model: The model, in evaluation mode.
            input: The beginning; may be empty.
            max_tokens: Tokens to write; fewer where the model ends the text itself.
            temperature, top_k, top_p, repetition_penalty, seed: As in `Sampling`.
            stop: The text ends before this, or before any of several.
            samples: How many continuations, by seed, seed + 1, ...

        Raises:
            UserError: An option out of its range, a prompt that the tokenizer or the model cannot
                take.
        """
        for name, number in (("max_tokens", max_tokens), ("samples", samples)):
            if number < 1:
                raise UserError(f"{name}={number}: expected 1 or more")
        prompt = self._prompt(input, model.context)
        stops = [stop] if isinstance(stop, str) else stop or []
        for k in range(samples):
            try:
                sampling = Sampling(temperature, top_k, top_p, repetition_penalty, seed + k)
            except ValueError as error:
                raise UserError(str(error)) from None
            number = {"sample": k + 1} if samples > 1 else {}
            yield number | {"text": ""}  # there is an answer, even if the text ends at once
            for _, piece in self._write(model, prompt, max_tokens, sampling, stops):
                yield number | {"text": piece}

    def _write(
        self,
        model: nn.Module,
        prompt: list[int],
        max_tokens: int,
        sampling: Sampling,
        stop: list[str] | None = None,
    ) -> Iterator[tuple[int, str]]:
        decode = self.tokenizer.decode
        return stream(model, decode, [prompt], max_tokens, sampling, stop or [], self.eot_id)

    def _prompt(self, text: str, context: int | None) -> list[int]:
        """Ids of a prompt; of an empty one, what a text begins after."""
        if self.template is not None:
            text = self.template.replace("{prompt}", text)
        try:
            ids = self.tokenizer.encode(text).tolist()
        except UserError as error:
            raise UserError(str(error).replace("the text", "input: the prompt", 1)) from None
        if context is not None and len(ids) > context:
            raise UserError(
                f"input: the prompt has {len(ids)} tokens, and the model looks back on at most "
                f"{context}; leave out its first {len(ids) - context} or more"
            )
        if ids:
            return ids
        if self.eot_id is not None:
            return [self.eot_id]
        try:
            return self.tokenizer.encode("\n").tolist()[:1] or [0]
        except UserError:  # a vocabulary of characters without a newline
            return [0]
