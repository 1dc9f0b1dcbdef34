"""Characters of one font, in place of those of all: quick to draw."""

import numpy as np
import torch

from zoo.data.images import fonts

FEW = [*range(0x21, 0x7F), *range(0xC0, 0x180), *range(0x391, 0x3CA)]  # Latin and Greek


def few_glyphs(root, size):
    """In place of `load_glyphs`: Latin and Greek letters, digits and signs of one font."""
    from matplotlib.ft2font import FT2Font

    font = FT2Font(str(next(f for f in fonts.font_files() if f.stem == "DejaVuSans")))
    codes = [code for code in FEW if code in font.get_charmap()]
    images = np.stack([fonts.draw(font, code, size) for code in codes])
    return fonts.Glyphs(torch.from_numpy(images)[:, None], torch.tensor(codes))
