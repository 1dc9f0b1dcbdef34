"""Causal language modelling: predict each token from those before it."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.registry import TASKS
from zoo.tasks.base import Batch, Pictures, StepOutput
from zoo.tasks.cross_entropy import cross_entropy_sum


@TASKS.register("causal_lm")
class CausalLM:
    """Cross-entropy of the next token; perplexity, and bits per byte, which compares tokenizers.

    Args:
        token_bytes: UTF-8 bytes of text that each id stands for.
        tokenizer: Ids to text, for samples.
    """

    monitor = "-loss"

    def __init__(self, token_bytes: list[int], tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.bytes = torch.tensor(token_bytes)

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, T + 1): T tokens to read, each one's next to predict."""
        tokens, target = batch["input"][:, :-1], batch["input"][:, 1:].flatten()  # (B, T), (B T,)
        logits = model(tokens).flatten(0, 1)  # (B T, V)
        loss = cross_entropy_sum(logits, target)
        self.bytes = self.bytes.to(target.device)
        sums = {"bytes": self.bytes[target].sum()}
        if not model.training:
            sums["accuracy"] = (logits.argmax(1) == target).sum()
        return StepOutput(loss, torch.full((), len(target), device=loss.device), sums)

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
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], pictures: Pictures
    ) -> None:
        """What the model makes of the beginning of a text."""

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """Per text, the likeliest next tokens."""
        for row in model(batch["input"])[:, -1].float().softmax(-1):
            top = row.topk(min(5, len(row)))
            tokens = [self.tokenizer.token(i) for i in top.indices.tolist()]
            yield {"next": tokens[0], "probabilities": dict(zip(tokens, top.values.tolist()))}
