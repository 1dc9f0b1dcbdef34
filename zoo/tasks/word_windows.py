"""Running text to matrices of neighbouring words, and negative samples.

word2vec pairs each word with its neighbours in a window of random size, and with a few words drawn
at random. One pair at a time is slow. Here the text is cut into blocks of C words; the words of a
block and all words within the largest window of them form one small matrix, in which a band along
the diagonal holds the positive pairs. Negative samples, drawn for the block, are further columns.
Shapes: B sequences, T tokens, L words, G blocks, C words in a block, W largest window,
M = C + 2 W words around a block, R = 2 W + 1 positions in a window, S negative samples,
V vocabulary.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NO_WORD = 0  # the id of unknown words; also used as padding
BLOCK = 16


class Blocks(NamedTuple):
    """A batch of running text as matrices.

    Attributes:
        centres: int64 (G, C), NO_WORD where there is none.
        around: int64 (G, M): the words of the block and of W positions on either side.
        near: (G, C, R): at j for centre c, 1 where word c + j of `around` is a neighbour, else 0.
    """

    centres: Tensor
    around: Tensor
    near: Tensor


class WordWindows:
    """Draws blocks and negative samples, by torch's global generator.

    Args:
        counts: Occurrences of each id in the training split, int64 (V,); 0 for special tokens.
        eot_id: The id between documents, if any.
        window: W: that of each word is drawn uniformly from 1 to W.
        sample: Words above this frequency are subsampled as in the authors' program; 0 keeps all.
        power: Negative samples are drawn by the words' frequency to this power.
    """

    def __init__(
        self, counts: Tensor, eot_id: int | None, window: int, sample: float, power: float
    ) -> None:
        self.eot_id, self.window = eot_id, window
        frequency = counts.double() / counts.sum()
        ratio = sample / frequency
        keep = ratio.sqrt() + ratio if sample else torch.ones_like(frequency)
        self.keep_probability = keep.clamp(max=1).masked_fill(counts == 0, 0).float()  # (V,)
        noise = counts.double().pow(power).masked_fill(counts == 0, 0).cumsum(0)
        self.noise_cdf = noise / noise[-1]  # (V,)
        distance = (torch.arange(2 * window + 1) - window).abs()
        sizes = torch.arange(window + 1)[:, None]
        self.in_window = ((distance > 0) & (distance <= sizes)).float()  # (W + 1, R), by size

    def frequency_scores(self, counts: Tensor, negatives: float) -> Tensor:
        """For each id the logit that it is one of the text and not a negative sample, (V,), where
        nothing but its frequency is known: the best that can be done without a look at its
        neighbour. 0 for special tokens.

        Args:
            counts: As at construction.
            negatives: Negative samples for each of the text.
        """
        kept = counts.double() * self.keep_probability.double()
        noise = self.noise_cdf.diff(prepend=self.noise_cdf.new_zeros(1))
        ratio = kept / kept.sum() / (negatives * noise)
        return ratio.where(counts > 0, 1.0).log().float()

    def _to(self, device: torch.device) -> None:
        if self.keep_probability.device != device:
            self.keep_probability = self.keep_probability.to(device)
            self.in_window = self.in_window.to(device)
            has_float64 = device.type != "mps"
            self.noise_cdf = (self.noise_cdf if has_float64 else self.noise_cdf.float()).to(device)

    def blocks(self, text: Tensor) -> Blocks:
        """Matrices of a batch of running text, int64 (B, T)."""
        self._to(text.device)
        words, documents = self._subsample(text)  # (L,), (L,)
        count = max(-(-len(words) // BLOCK), 1)  # one block of padding, if there is no word
        padding = self.window, count * BLOCK - len(words) + self.window
        padded, documents = F.pad(words, padding), F.pad(documents, padding)
        around = padded.unfold(0, BLOCK + 2 * self.window, BLOCK)  # (G, M)
        centres = padded[self.window : self.window + count * BLOCK].view(count, BLOCK)
        sizes = torch.randint(1, self.window + 1, centres.shape, device=text.device)
        sizes *= centres != NO_WORD
        nearby = documents.unfold(0, 2 * self.window + 1, 1)  # (G C, R)
        near = self.in_window.index_select(0, sizes.flatten())
        near.mul_(nearby == nearby[:, self.window, None])
        return Blocks(centres, around, near.view(*centres.shape, -1))

    def _subsample(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """The words that are kept, and for each the number, from 1, of its document within its
        sequence: words of different ones are never paired."""
        starts = torch.zeros_like(text) if self.eot_id is None else (text == self.eot_id).long()
        starts[:, 0] = 1
        text = text.flatten()  # (B T,)
        probability = self.keep_probability.index_select(0, text)
        kept = torch.rand(probability.shape, device=text.device) < probability
        documents = starts.flatten().cumsum(0)
        if text.device.type == "cpu":
            positions = kept.nonzero().squeeze(1)
            return text.index_select(0, positions), documents.index_select(0, positions)
        return keep_first(text, documents, kept)

    def noise(self, blocks: int, size: int) -> Tensor:
        """Negative samples int64 (G, S) from the noise distribution. They are stratified: those of
        a block come from S equal parts of it, and cover it better than independent draws."""
        dtype, device = self.noise_cdf.dtype, self.noise_cdf.device
        quantiles = torch.rand(blocks, size, dtype=dtype, device=device)
        quantiles = (quantiles + torch.arange(size, device=device)) / size
        words = torch.searchsorted(self.noise_cdf, quantiles, right=True)
        return words.clamp_(max=len(self.noise_cdf) - 1)


def keep_first(words: Tensor, documents: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Words and documents (N,), those that are kept before NO_WORD and document 0 for the others.

    For a GPU: the program would have to wait to know how many were kept.
    """
    order = (~kept).byte().sort(stable=True).indices
    kept = kept.index_select(0, order)
    return words.index_select(0, order) * kept, documents.index_select(0, order) * kept
