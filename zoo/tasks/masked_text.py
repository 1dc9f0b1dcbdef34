"""Texts in which a user wrote `[MASK]` for what is to be filled in."""

from typing import Any

from zoo.errors import UserError

MASK = "[MASK]"


def encode_masked(text: str, tokenizer: Any, mask_id: int) -> list[int]:
    """Ids of a text that contains `[MASK]`.

    Byte-pair tokens include the space before them, so the one before a mask is dropped.

    Raises:
        UserError: No `[MASK]`.
    """
    pieces = text.split(MASK)
    if len(pieces) == 1:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise UserError(
            f"input: no {MASK} in '{shown}'; write {MASK} for each token to be filled in, as in "
            f"input='The {MASK} of the list'"
        )
    if tokenizer.kind == "bpe":
        pieces = [piece.removesuffix(" ") for piece in pieces[:-1]] + pieces[-1:]
    ids: list[int] = []
    for k, piece in enumerate(pieces):
        ids += [mask_id] * (k > 0) + tokenizer.encode(piece).tolist()
    return ids
