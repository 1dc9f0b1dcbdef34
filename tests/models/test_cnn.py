"""The CNN against a loop over its equation, at any image size."""

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.models.cnn import CNN


def convolve(x, weight):
    """3x3 convolution with zero padding, by its definition: a sum over nine shifted images."""
    batch, _, height, width = x.shape
    padded = torch.zeros(batch, x.shape[1], height + 2, width + 2, dtype=x.dtype)
    padded[:, :, 1:-1, 1:-1] = x
    total = 0
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i : i + height, j : j + width]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total


def halve(x):
    batch, channels, height, width = x.shape
    x = x[:, :, : height // 2 * 2, : width // 2 * 2]
    x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return x.amax(dim=(3, 5))


def test_equals_its_equations():
    torch.manual_seed(0)
    model = CNN((2, 9, 8), 5, width=4, stages=2, blocks=2, dropout=0.5).double().eval()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(
                torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor)
            )
    x = torch.randn(3, 2, 9, 8, dtype=torch.float64)
    h = x
    for module in model.features:
        if isinstance(module, nn.MaxPool2d):
            h = halve(h)
            continue
        conv, norm, _ = module
        h = convolve(h, conv.weight)
        column = (slice(None), None, None)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        h = (h - norm.running_mean[column]) * scale[column] + norm.bias[column]
        h = h.clamp(min=0)
    expected = h.mean(dim=(2, 3)) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)
    assert [c.weight.shape[:2] for c in model.modules() if isinstance(c, nn.Conv2d)] == [
        (4, 2),
        (4, 4),
        (8, 4),
        (8, 8),
    ]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (7, 4), (28, 28), (33, 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_takes_any_image(size, channels):
    model = CNN((channels, *size), 3, width=4)
    assert model(torch.randn(2, channels, *size)).shape == (2, 3)


def test_an_image_shifted_within_its_border_gives_the_same_logits():
    """Shared filters and an average over the whole image, before any halving."""
    model = CNN((1, 12, 12), 4, width=4, stages=1, blocks=2).eval()
    image = torch.zeros(1, 1, 12, 12)
    image[:, :, 4:7, 4:7] = torch.randn(1, 1, 3, 3)
    moved = image.roll((2, -1), dims=(2, 3))
    torch.testing.assert_close(model(image), model(moved), rtol=1e-4, atol=1e-6)


def test_a_table_is_refused_with_a_way_out():
    with pytest.raises(UserError, match="model=mlp"):
        CNN((13,), 3)
