"""Random sequences of letters to mask, and where they were masked."""

import torch

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.kernels import IGNORE_INDEX

EOT, MASK_ID, LETTERS = 0, 1, "abcdefghijklmnopqrstuvwxyz "
SPECIALS = ["<|endoftext|>", "[MASK]"]
CHAR = train_tokenizer("char", [LETTERS], specials=SPECIALS)
SIZE = CHAR.vocab_size


def texts(rows, length=41, seed=0, low=2):
    generator = torch.Generator().manual_seed(seed)
    return {"input": torch.randint(low, SIZE, (rows, length), generator=generator)}


def guessed(masked, batch):
    """Where a token is to be guessed, bool (B, T), and what stands and is shown there, (N,).

    All other places show what they hold.
    """
    asked = masked.labels != IGNORE_INDEX
    places = torch.zeros(masked.input_ids.numel(), dtype=torch.bool)
    places[masked.positions[asked]] = True
    others = ~places.view_as(masked.input_ids)
    assert torch.equal(masked.input_ids[others], batch["input"][:, :-1][others])
    return (
        places.view_as(masked.input_ids),
        masked.labels[asked],
        masked.input_ids.flatten()[masked.positions[asked]],
    )
