"""Special tokens that running text needs for some objectives: padding, beginnings, ends, masks."""

from typing import Any

from zoo.data.tokenizers.registry import BOS, EOS, EOT, MASK, PAD, Tokenizer
from zoo.errors import UserError

SPECIALS = (EOT, PAD, BOS, EOS)


def special_names(mask_token: bool, pairs: bool, denoising: bool) -> tuple[str, ...]:
    """The special tokens of a new tokenizer, in place of those of windows; none: those.

    Args:
        mask_token: Whether `[MASK]` is reserved besides.
        pairs: Whether samples are pairs of passages.
        denoising: Whether windows are to be reconstructed.
    """
    if denoising and not mask_token:
        return (*SPECIALS, MASK)
    return SPECIALS if pairs or denoising else ()


def special_facts(
    tokenizer: Tokenizer, block_size: int, pairs: bool, denoising: bool
) -> dict[str, Any]:
    """What models and tasks are told of them.

    Raises:
        UserError: The tokenizer lacks one.
    """
    if not pairs and not denoising:
        return {}
    option = "data.next_sentence=true" if pairs else "data.denoising=true"
    if pairs and denoising:
        raise UserError("data.next_sentence=true and data.denoising=true: take one of both")
    pad, begin, end = special_ids(tokenizer, option)
    if pairs:
        return {"pad_id": pad, "next_sentence": True}
    if MASK not in tokenizer.specials:
        raise UserError(f"{option}: the {tokenizer.kind} tokenizer has no {MASK}, which it needs")
    return {"pad_id": pad, "bos_id": begin, "eos_id": end, "max_length": block_size + 2}


def special_ids(tokenizer: Tokenizer, option: str) -> tuple[int, int, int]:
    """The ids of padding, of the beginning of a text and of its end.

    Args:
        tokenizer: That has them.
        option: That needs them, for the message.

    Raises:
        UserError: The tokenizer lacks one.
    """
    names = tokenizer.specials
    lacking = [name for name in (EOT, BOS, EOS) if name not in names]
    if lacking:
        raise UserError(
            f"{option}: the {tokenizer.kind} tokenizer has no {lacking[0]}, which it needs; take "
            f"BERT's, or train one here"
        )
    return tokenizer.need_pad_id(), names[BOS], names[EOS]
