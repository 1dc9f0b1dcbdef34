"""Running text to matrices of neighbouring words, and negative samples.

word2vec sees each word with its neighbours, in a window of random reach, and a few words drawn at
random. Pair by pair that is slow. Here the text is cut into blocks of C words; the words of a block
against all those within reach of them are one small matrix, of which a band along the diagonal
holds the true neighbours. Noise words, drawn for the whole block, are further columns of it.
Shapes: L words, G blocks, C words in a block, W reach, M = C + 2 W words around a block,
R = 2 W + 1 places within reach of a word, S noise, V vocabulary.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NO_WORD = 0  # the id of unknown words; stands for gaps too
BLOCK = 16


class Blocks(NamedTuple):
    """A batch of text as matrices.

    Attributes:
        centres: int64 (G, C), NO_WORD where there is none.
        around: int64 (G, M): the words of the block and of W places on either side.
        near: (G, C, R): at j for centre c, 1 where word c + j of `around` is its neighbour, else 0.
    """

    centres: Tensor
    around: Tensor
    near: Tensor


class WordWindows:
    """Draws blocks and negative samples; all randomness is torch's own stream.

    Args:
        counts: How often each id occurs in the training split, int64 (V,); 0 for what is no word.
        eot_id: The id between documents, if any.
        reach: W: a word's neighbours lie up to 1 to W words away, each reach as likely.
        sample: Words rarer than this share of the text are all kept; of more frequent ones only
            a part, as in the authors' program. 0 keeps all.
        power: Negative samples are as frequent as in the text, to this power.
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
        away = (torch.arange(2 * reach + 1) - reach).abs()
        upto = torch.arange(reach + 1)[:, None]
        self.within_reach = ((away > 0) & (away <= upto)).float()  # (W + 1, R), a row a reach

    def _to(self, device: torch.device) -> None:
        if self.keep.device != device:
            self.keep, self.within_reach = self.keep.to(device), self.within_reach.to(device)
            wide = device.type != "mps"  # which has no float64
            self.cumulative = (self.cumulative if wide else self.cumulative.float()).to(device)

    def blocks(self, text: Tensor) -> Blocks:
        """Matrices of a batch of running text, int64 (B, T)."""
        self._to(text.device)
        words, passages = self._kept(text)  # (L,), (L,)
        count = max(-(-len(words) // BLOCK), 1)  # a block of gaps, if there is no word
        sides = self.reach, count * BLOCK - len(words) + self.reach
        padded, passages = F.pad(words, sides), F.pad(passages, sides)
        around = padded.unfold(0, BLOCK + 2 * self.reach, BLOCK)  # (G, M)
        centres = padded[self.reach : self.reach + count * BLOCK].view(count, BLOCK)
        reach = torch.randint(1, self.reach + 1, centres.shape, device=text.device)
        reach *= centres != NO_WORD
        beside = passages.unfold(0, 2 * self.reach + 1, 1)  # (G C, R)
        near = self.within_reach.index_select(0, reach.flatten())
        near.mul_(beside == beside[:, self.reach, None])
        return Blocks(centres, around, near.view(*centres.shape, -1))

    def _kept(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """The words kept, and for each the number of its passage, 1 or more: the part of a window
        and of a document that it lies in, beyond which nobody looks."""
        starts = torch.zeros_like(text) if self.eot_id is None else (text == self.eot_id).long()
        starts[:, 0] = 1
        text = text.flatten()  # (B T,)
        chance = self.keep.index_select(0, text)
        places = (torch.rand(chance.shape, device=text.device) < chance).nonzero().squeeze(1)
        passages = starts.flatten().cumsum(0).index_select(0, places)
        return text.index_select(0, places), passages

    def noise(self, blocks: int, size: int) -> Tensor:
        """Negative samples int64 (G, S), each of the noise distribution. Those of a block come from
        S equal parts of it, one from each, and so cover it better than independent draws."""
        dtype, device = self.cumulative.dtype, self.cumulative.device
        drawn = torch.rand(blocks, size, dtype=dtype, device=device)
        drawn = (drawn + torch.arange(size, device=device)) / size
        found = torch.searchsorted(self.cumulative, drawn, right=True)
        return found.clamp_(max=len(self.cumulative) - 1)
