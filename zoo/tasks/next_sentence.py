"""Next-sentence prediction: does the second passage of a pair follow the first?

Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1; a second objective of
`masked_lm`, where batches are pairs.
Shapes: B pairs, T tokens.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.batch import Batch
from zoo.errors import UserError
from zoo.tasks.base import context_of
from zoo.tasks.markdown import table

ANSWERS = ("follows", "does not")
SHOWN = 60  # characters of a passage in a table


def pair_options(batch: Batch) -> dict[str, Any]:
    """What a model is called with besides the tokens of `input` (B, T + 1) without the last."""
    if "follows" not in batch:
        return {}
    return {"types": batch["types"][:, :-1], "pairs": True}


def pair_logits(model: nn.Module, tokens: Tensor, types: Tensor) -> Tensor:
    """Logits of "it follows" and "it does not" for whole texts, nothing masked: (B, 2).

    Args:
        model: The model.
        tokens, types: Ids and their segments, int64 (B, T).
    """
    nowhere = torch.zeros(1, dtype=torch.int64, device=tokens.device)
    return model(tokens, positions=nowhere, types=types, pairs=True)[1]


def pair_sums(logits: Tensor, follows: Tensor) -> dict[str, Tensor]:
    """Loss, right answers and number of pairs.

    Args:
        logits: Of "it follows" and "it does not", (B, 2), the order of published weights.
        follows: 1 or 0, int64 (B,).
    """
    logits, target = logits.float(), 1 - follows
    return {
        "next_loss": F.cross_entropy(logits, target, reduction="sum"),
        "next_right": (logits.argmax(1) == target).sum(),
        "follows": follows.sum(),
        "pairs": follows.new_full((), len(follows)),
    }


def padded_loss(logits: Tensor, follows: Tensor, difference: Tensor) -> Tensor:
    """What the loss of some pairs counts more or less than that of others, summed.

    Args:
        logits, follows: As in `pair_sums`.
        difference: By how much, (B,); exactly 0 where it is 0 for all.
    """
    return (difference * F.cross_entropy(logits.float(), 1 - follows, reduction="none")).sum()


def trivial_pairs(means: dict[str, Tensor]) -> dict[str, Tensor]:
    """The means of who says the more frequent answer, and gives both the same probability."""
    if "pairs" not in means:
        return {}
    follows, pairs = means["follows"], means["pairs"]
    return {"next_loss": pairs * math.log(2), "next_right": torch.maximum(follows, pairs - follows)}


def pair_metrics(means: dict[str, Tensor]) -> dict[str, float]:
    """Loss in nats a pair, accuracy, and both losses together; nothing where there are no pairs."""
    if "pairs" not in means:
        return {}
    loss = float(means["next_loss"] / means["pairs"])
    return {
        "next_loss": loss,
        "next_accuracy": float(means["next_right"] / means["pairs"]),
        "total_loss": float(means["loss"]) + loss,
    }


def pair_table(model: nn.Module, batch: Batch, tokenizer: Any) -> str:
    """Where the passages of pairs meet, what is right and what the model says, in Markdown.

    Args:
        model: The model.
        batch: `input` and `types` (B, T + 1), `follows` (B,).
        tokenizer: Ids to text.
    """
    tokens, types = batch["input"][:, :-1], batch["types"][:, :-1]
    chances = pair_logits(model, tokens, types).float().softmax(1).tolist()
    rows = []
    for row, segments, follows, chance in zip(tokens, types, batch["follows"].tolist(), chances):
        first, second = (tokenizer.decode(row[segments == k].tolist()).strip() for k in (0, 1))
        best = int(chance[1] > chance[0])
        said = f"{ANSWERS[best]} ({chance[best]:.0%})"
        rows.append([f"… {first[-SHOWN:]}", f"{second[:SHOWN]} …", ANSWERS[1 - follows], said])
    return table(["first passage", "second passage", "right answer", "predicted"], rows)


def pair_answer(model: nn.Module, tokenizer: Any, first: str, second: str) -> dict[str, Any]:
    """Whether a second text follows the first, and how probable that is.

    Raises:
        UserError: One of them is empty; both together are longer than the model's context.
    """
    passages = {"input": tokenizer.encode(first), "second": tokenizer.encode(second)}
    if empty := [name for name, ids in passages.items() if not len(ids)]:
        raise UserError(f"{empty[0]}= has no token; expected two texts")
    start, other = (tokenizer.wrap(ids, 2**31) for ids in passages.values())  # [CLS] A [SEP]
    row = np.concatenate([start, other[1:]])  # B [SEP]
    check_length(model, len(row))
    device = next(model.parameters()).device
    tokens = torch.from_numpy(row).to(device, torch.int64)[None]  # (1, T)
    types = (torch.arange(len(row), device=device) >= len(start)).long()[None]
    chances = pair_logits(model, tokens, types)[0].float().softmax(0).tolist()
    best = int(chances[1] > chances[0])
    return {
        "class": ANSWERS[best],
        "probability": chances[best],
        "probabilities": dict(zip(ANSWERS, chances, strict=True)),
    }


def check_length(model: nn.Module, length: int) -> None:
    """Check that a model reads so many tokens.

    Raises:
        UserError: It reads fewer.
    """
    limit = context_of(model)
    if limit is not None and length > limit:
        raise UserError(
            f"input: {length} tokens, and the model reads at most {limit} at once; leave out "
            f"{length - limit} or more"
        )
