"""Running text to matrices of neighbouring words, and noise words to tell them from.

word2vec sees each word with its neighbours, in a window of random reach, and a few words drawn at
random. Pair by pair that is slow. Here the text is cut into blocks of C words; the words of a block
against all those within reach of them are one small matrix, of which a band along the diagonal
holds the true neighbours. Noise words, drawn for the whole block, are further columns of it.
Shapes: L words, G blocks, C words in a block, W reach, M = C + 2 W words around a block, S noise.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NO_WORD = 0  # the id of unknown words; stands for gaps too
BLOCK = 32


class Blocks(NamedTuple):
    """A batch of text as matrices.

    Attributes:
        centres: int64 (G, C), NO_WORD where there is none.
        around: int64 (G, M): the words of the block and of W places on either side.
        near: (G, C, M), 1 where a word of `around` is a neighbour of the centre, else 0.
    """

    centres: Tensor
    around: Tensor
    near: Tensor


class WordWindows:
    """Draws blocks and noise words; all randomness is torch's own stream.

    Args:
        counts: How often each id occurs in the training split, int64 (V,); 0 for what is no word.
        eot_id: The id between documents, if any.
        reach: W: a word's neighbours lie up to 1 to W words away, each reach as likely.
        sample: Words rarer than this share of the text are all kept; of more frequent ones only
            a part, as in the authors' program. 0 keeps all.
        power: Noise words are as frequent as in the text, to this power.
    """

    def __init__(
        self, counts: Tensor, eot_id: int | None, reach: int, sample: float, power: float
    ) -> None:
        self.eot_id, self.reach = eot_id, reach
        share = counts.double() / counts.sum()
        part = (sample / share).sqrt() + sample / share if sample else torch.ones_like(share)
        self.keep = part.clamp(max=1).masked_fill(counts == 0, 0).float()  # (V,)
        noise = counts.double().pow(power).masked_fill(counts == 0, 0).cumsum(0)
        self.cumulative = noise / noise[-1]  # (V,)
        self.bands = self._bands(reach)

    @staticmethod
    def _bands(reach: int) -> Tensor:
        """((W + 1) C, M): row r C + c is 1 at each neighbour, at reach r, of a block's word c."""
        around = torch.arange(BLOCK + 2 * reach) - reach  # places relative to the block's start
        away = (around - torch.arange(BLOCK)[:, None]).abs()  # (C, M)
        reaches = torch.arange(reach + 1)[:, None, None]
        return ((away > 0) & (away <= reaches)).float().flatten(0, 1)

    def _to(self, device: torch.device) -> None:
        if self.keep.device != device:
            self.keep, self.bands = self.keep.to(device), self.bands.to(device)
            wide = device.type != "mps"  # which has no float64
            self.cumulative = (self.cumulative if wide else self.cumulative.float()).to(device)

    def blocks(self, text: Tensor) -> Blocks:
        """Matrices of a batch of running text, int64 (B, T)."""
        self._to(text.device)
        words = self._thinned(text)  # (L,)
        count = -(-len(words) // BLOCK)
        padded = F.pad(words, (self.reach, count * BLOCK - len(words) + self.reach))
        around = padded.unfold(0, BLOCK + 2 * self.reach, BLOCK)  # (G, M)
        centres = padded[self.reach : self.reach + count * BLOCK].view(count, BLOCK)
        reach = torch.randint(1, self.reach + 1, centres.shape, device=text.device)
        reach *= centres != NO_WORD
        rows = reach * BLOCK + torch.arange(BLOCK, device=text.device)
        near = self.bands.index_select(0, rows.flatten()).view(*centres.shape, -1)  # (G, C, M)
        return Blocks(centres, around, near.mul_((around != NO_WORD)[:, None]))

    def _thinned(self, text: Tensor) -> Tensor:
        """The words kept, and W gaps after each window and document: nobody looks across."""
        text = F.pad(text, (0, 1), value=NO_WORD)  # (B, T + 1)
        times = (torch.rand(text.shape, device=text.device) < self.keep[text]).long()
        times[:, -1] = self.reach
        if self.eot_id is not None:
            ends = text == self.eot_id
            times.masked_fill_(ends, self.reach)
            text = text.masked_fill(ends, NO_WORD)
        return text.flatten().repeat_interleave(times.flatten())

    def noise(self, blocks: int, size: int) -> Tensor:
        """Noise words int64 (G, S). Each has the noise distribution; those of a block come from S
        equal shares of it, one from each, and so cover it better than independent draws."""
        dtype, device = self.cumulative.dtype, self.cumulative.device
        drawn = torch.rand(blocks, size, dtype=dtype, device=device)
        drawn = (drawn + torch.arange(size, device=device)) / size
        found = torch.searchsorted(self.cumulative, drawn, right=True)
        return found.clamp_(max=len(self.cumulative) - 1)
