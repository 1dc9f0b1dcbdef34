"""What the U-Net reads, and the sizes that it refuses."""

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.models.unet import UNet


def network(shape=(3, 8, 8), **options):
    torch.manual_seed(0)
    model = UNet(shape, **{"num_classes": 2, "width": 4, "depth": 1, "heads": 1} | options).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def test_starts_with_an_output_of_zero():
    model = UNet((1, 8, 8), 2, width=4, heads=1)
    output = model(torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 2]))
    assert output.shape == (2, 1, 8, 8) and not output.any()


@pytest.mark.parametrize("options", [{}, {"depth": 0}, {"blocks": 2}, {"patch": 2}, {"depth": 3}])
def test_image_time_and_class_count_and_all_pixels_see_each_other(options):
    model = network(**options)
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    time, classes = torch.full((1,), 0.3), torch.tensor([0])
    output = model(x, time, classes)
    assert output.shape == x.shape
    assert not torch.allclose(output, model(x, time + 0.5, classes))
    assert not torch.allclose(output, model(x, time, classes + 1))
    (gradient,) = torch.autograd.grad(output[0, 0, 0, 0], x)
    assert (gradient != 0).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 28, 28), {"depth": 3}, r"depth=3: .*28x28.* halved 2 times; .*depth=2 or less.* of 8"),
        ((1, 9, 8), {"depth": 1}, r"halved 0 times; set model.depth=0, or"),
        ((1, 28, 28), {"patch": 2, "depth": 2}, r"in patches of 2x2 can be halved 1 time.* of 8"),
        ((1, 28, 28), {"patch": 3}, r"model.patch=3 does not divide images of 28x28"),
    ],
)
def test_sizes_that_cannot_be_halved_are_refused(shape, options, message):
    with pytest.raises(UserError, match=message):
        network(shape, **options)
