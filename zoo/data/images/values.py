"""Images of Python: Pillow's, arrays and tensors.

Shapes: N images, C channels, H height, W width.
"""

from typing import TYPE_CHECKING, Any

from zoo.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

EXPECTED = (
    "expected a file, a Pillow image, an array of shape (H, W), (N, H, W), (H, W, C) or "
    "(N, H, W, C), or a tensor of shape (H, W), (N, H, W), (C, H, W) or (N, C, H, W)"
)
CHANNELS = (1, 3, 4)  # grey, RGB, RGB with opacity


def opened(value: Any, is_deep: bool) -> list["Image"]:
    """Pillow images of a value.

    Args:
        value: A Pillow image, an array, or a tensor.
        is_deep: Whether the run was trained on images of more than 8 bits, whose values then count
            as those of files do.

    Raises:
        UserError: It is none of these, or holds values of an unknown scale.
    """
    import numpy as np
    import torch
    from PIL import Image

    if isinstance(value, Image.Image):
        return [value]
    if not isinstance(value, np.ndarray | torch.Tensor):
        raise UserError(f"input is of type {type(value).__name__}; {EXPECTED}")
    pixels = _of_channels(value)
    if pixels.ndim != 4 or pixels.shape[-1] not in CHANNELS or not pixels.size:
        raise UserError(f"input has the shape {tuple(value.shape)}; {EXPECTED}")
    keeps_depth = is_deep and pixels.shape[-1] == 1 and pixels.dtype.kind in "uf"
    shallow = pixels if keeps_depth and pixels.dtype.itemsize > 1 else _bytes(pixels)
    if shallow.dtype.kind == "f":
        shallow = shallow.astype(np.float32)
    return [Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one) for one in shallow]


def check_grey(value: Any) -> None:
    """Refuse a tensor that a model of grey images could read in two ways: (4, H, W), which is four
    images where five would be (5, H, W), or one with opacity.

    Raises:
        UserError: With both remedies.
    """
    import torch

    shape = tuple(value.shape) if isinstance(value, torch.Tensor) else ()
    if len(shape) == 3 and shape[0] in CHANNELS[1:]:
        n, *sides = shape
        raise UserError(
            f"input has the shape {shape}: {n} grey images, or one of {n} channels? give it as "
            f"{(n, 1, *sides)} or {(1, n, *sides)}"
        )


def _of_channels(value: Any) -> Any:
    """An array or a tensor as an array (N, H, W, C), if it has a shape of `EXPECTED`."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        tensor = value.float() if value.dtype == torch.bfloat16 else value  # which NumPy lacks
        pixels, channels = tensor.detach().cpu().numpy(), -3
    else:
        pixels, channels = value, -1
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[channels] not in CHANNELS):
        return pixels.reshape(-1, *pixels.shape[-2:], 1)
    if pixels.ndim == 3:
        pixels = pixels[None]
    return np.moveaxis(pixels, channels, -1) if pixels.ndim == 4 else pixels


def _bytes(pixels: Any) -> Any:
    """Pixels as uint8: floats of 0 to 1, whole numbers of 0 to 255."""
    import numpy as np

    if pixels.dtype == np.uint8:
        return pixels
    is_float = pixels.dtype.kind == "f"
    top = 1 if is_float or pixels.dtype.kind == "b" else 255
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind not in "fbui" or not 0 <= low <= high <= top:  # also if one is no number
        raise UserError(
            f"input has values from {low} to {high} ({pixels.dtype}); expected pixels: whole "
            f"numbers of 0 to 255, or floats of 0 to 1"
        )
    return np.round(pixels * (255 / top)).astype(np.uint8)
