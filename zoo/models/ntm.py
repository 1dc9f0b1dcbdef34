"""Neural Turing machine: a network that writes to and reads from a memory outside of it.

Graves, Wayne and Danihelka, 2014, https://arxiv.org/abs/1410.5401; numbers of equations are those
of section 3.
Differs from the paper: memory starts at a constant (Collier and Beel, 2018, arXiv:1807.08518, who
found it to learn fastest), and heads on its first slot. Without slots it is its controller alone,
an LSTM to compare with.
Shapes: B batch, T steps, C input values, D controller width, N slots of memory of M values each,
R read heads, W write heads, H = R + W, O outputs.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Natural, Positive
from zoo.registry import MODELS

EMPTY = 1e-6  # what an unwritten memory holds
SHIFTS = 3  # a head moves by -1, 0 or 1 slot


class Address(NamedTuple):
    """What a head emits to choose slots, H heads.

    Attributes:
        key: (B, H, M), tanh.
        strength: beta > 0, (B, H, 1).
        gate: g in 0..1, (B, H, 1): 1 for content, 0 for the last place.
        shift: s, a distribution over -1, 0, 1 (B, H, 3).
        sharpness: gamma >= 1, (B, H, 1).
    """

    key: Tensor
    strength: Tensor
    gate: Tensor
    shift: Tensor
    sharpness: Tensor


def address(memory: Tensor, last: Tensor, a: Address) -> Tensor:
    """The weights of each head over the slots, (B, H, N), which sum to one.

    Args:
        memory: (B, N, M).
        last: The weights of the step before, (B, H, N).
        a: What the heads emit.
    """
    keys, slots = F.normalize(a.key, dim=-1), F.normalize(memory, dim=-1, eps=1e-8)
    content = torch.softmax(a.strength * (keys @ slots.mT), dim=-1)  # (5), (6)
    gated = last + a.gate * (content - last)  # (7)
    back, stay, ahead = a.shift.split(1, dim=-1)
    shifted = back * gated.roll(-1, -1) + stay * gated + ahead * gated.roll(1, -1)  # (8)
    powers = (shifted + 1e-12) ** a.sharpness
    return powers / powers.sum(-1, keepdim=True)  # (9)


def write(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """The memory after all write heads, (B, N, M).

    Args:
        memory: (B, N, M).
        weights: (B, W, N).
        erase: 0..1, (B, W, M).
        add: (B, W, M).
    """
    kept = 1 - weights[..., None] * erase[:, :, None]  # (B, W, N, M)
    return memory * kept.prod(1) + weights.mT @ add  # (3), (4)


class Heads(nn.Module):
    """The linear layer by which the controller moves its heads.

    Args:
        width: D.
        read_heads, write_heads: R, W.
        slot: M.
    """

    def __init__(self, width: int, read_heads: int, write_heads: int, slot: int) -> None:
        super().__init__()
        self.heads, self.writers, self.slot = read_heads + write_heads, write_heads, slot
        self.sizes = [slot, 1, 1, SHIFTS, 1]
        outputs = self.heads * sum(self.sizes) + write_heads * 2 * slot
        self.emit = nn.Linear(width, outputs)

    def forward(self, h: Tensor) -> tuple[Address, Tensor, Tensor]:
        """(B, D) to addresses of all heads, readers first, and what writers erase and add."""
        used = self.heads * sum(self.sizes)
        where, what = self.emit(h).split([used, 2 * self.writers * self.slot], dim=-1)
        parts = where.unflatten(-1, (self.heads, -1)).split(self.sizes, dim=-1)
        erase, add = what.unflatten(-1, (self.writers, -1)).chunk(2, dim=-1)
        emitted = Address(
            key=parts[0].tanh(),
            strength=F.softplus(parts[1]),
            gate=parts[2].sigmoid(),
            shift=parts[3].softmax(-1),
            sharpness=1 + F.softplus(parts[4]),
        )
        return emitted, erase.sigmoid(), add.tanh()


class FeedForward(nn.Module):
    """A controller without a memory of its own, with the interface of an LSTM cell."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, width)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """(B, inputs) to (B, D); the cell state stays as it is."""
        return self.hidden(x).relu(), state[1]


@MODELS.register("ntm", task="bits", tiny=dict(input_width=4, num_outputs=3, width=8, slots=6))
class NTM(nn.Module):
    """A controller, a memory, and heads that choose slots by content and by location.

    Args:
        input_width: C.
        num_outputs: O.
        controller: Kind of controller.
        width: D.
        slots: N; 0 for a controller without a memory.
        slot: M.
        read_heads, write_heads: R, W.
    """

    def __init__(
        self,
        input_width: int,
        num_outputs: int,
        controller: Literal["lstm", "feedforward"] = "lstm",
        width: Positive = 100,
        slots: Natural = 64,
        slot: Positive = 20,
        read_heads: Positive = 1,
        write_heads: Positive = 1,
    ) -> None:
        super().__init__()
        if not slots and controller == "feedforward":
            raise ValueError("controller=feedforward remembers nothing without slots")
        self.width, self.slots, self.slot, self.readers = width, slots, slot, read_heads
        read = read_heads * slot if slots else 0
        kind = nn.LSTMCell if controller == "lstm" else FeedForward
        self.controller = kind(input_width + read, width)
        self.heads = Heads(width, read_heads, write_heads, slot) if slots else None
        self.head = nn.Linear(width + read, num_outputs)
        self._initialise()

    def _initialise(self) -> None:
        if isinstance(self.controller, nn.LSTMCell):  # forget gates start open
            nn.init.zeros_(self.controller.bias_ih)
            nn.init.zeros_(self.controller.bias_hh)
            nn.init.ones_(self.controller.bias_ih.chunk(4)[1])

    def forward(self, input: Tensor) -> Tensor:
        """Logits of the bits after each step: (B, T, C) to (B, T, O)."""
        return self.run(input)[0]

    def run(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, O), and the weights of the heads (B, T, H, N), readers first."""
        batch = len(input)
        h = c = input.new_zeros(batch, self.width)
        if self.heads is None:
            outputs = []
            for x in input.unbind(1):
                h, c = self.controller(x, (h, c))
                outputs.append(h)
            return self.head(torch.stack(outputs, 1)), input.new_zeros(*input.shape[:2], 0, 0)
        memory = input.new_full((batch, self.slots, self.slot), EMPTY)
        weights = F.one_hot(input.new_zeros(batch, self.heads.heads, dtype=torch.int64), self.slots)
        weights = weights.to(input.dtype)
        read = input.new_zeros(batch, self.readers * self.slot)
        outputs, moves = [], []
        for x in input.unbind(1):
            h, c = self.controller(torch.cat([x, read], 1), (h, c))
            where, erase, add = self.heads(h)
            weights = address(memory, weights, where)
            memory = write(memory, weights[:, self.readers :], erase, add)
            read = (weights[:, : self.readers] @ memory).flatten(1)  # (2)
            outputs.append(torch.cat([h, read], 1))
            moves.append(weights)
        return self.head(torch.stack(outputs, 1)), torch.stack(moves, 1)
