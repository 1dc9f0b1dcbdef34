"""Glyphs: the characters of the fonts that matplotlib brings along, named as Unicode does.

DejaVu (https://dejavu-fonts.github.io) and STIX (https://www.stixfonts.org), sixteen faces;
https://www.unicode.org/Public/UNIDATA/NamesList.txt for the names, which never change.
A caption is the name in small letters: `latin small letter a with diaeresis`.
"""

import unicodedata

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.images.captioned import captioned_dataset
from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.fonts import load_glyphs
from zoo.registry import DATASETS


@DATASETS.register("glyphs", uses=("root", "augment", "tokenizer"))
def glyphs(context: DataContext, size: int = 24, block_size: int = 16) -> Dataset:
    """About 43,000 pictures of 7,300 characters, split by character: those of the test split are
    in no other. `place` is the code point.

    Args:
        context: The shared settings.
        size: Height and width of a picture, pixels.
        block_size: Tokens of a name, at most.
    """
    images, codes = load_glyphs(context.root, size)
    characters, group = codes.unique(return_inverse=True)  # in the order of code points
    names = [unicodedata.name(chr(code)).lower() for code in characters.tolist()]
    of_characters = context.indices(torch.zeros(len(characters), dtype=torch.int64))
    index = {split: _pictures(group, numbers) for split, numbers in of_characters.items()}

    def fit(train: Tensor) -> ImageEncoding:
        return ImageEncoding.fit(images, train, ())

    return captioned_dataset(images, names, group, index, context, block_size, fit, codes)


def _pictures(group: Tensor, characters: Tensor) -> Tensor:
    """The pictures of some characters, int64, ascending."""
    return torch.isin(group, characters).nonzero()[:, 0]
