"""What the DiT reads, and how it starts."""

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.models.dit import ConditionedBlock, DiT

OPTIONS = {"num_classes": 2, "width": 8, "depth": 2, "heads": 2, "patch": 2}


def test_blocks_start_as_the_identity_and_the_output_as_zero():
    model = DiT((3, 4, 6), **OPTIONS)
    output = model(torch.randn(2, 3, 4, 6), torch.rand(2), torch.tensor([0, 2]))
    assert output.shape == (2, 3, 4, 6) and not output.any()
    x = torch.randn(2, 5, 8)
    assert torch.equal(model.blocks[0](x, torch.randn(2, 8)), x)


def test_the_condition_scales_shifts_and_weighs_each_branch():
    torch.manual_seed(0)
    block = ConditionedBlock(8, 2, 0.0)
    nn.init.zeros_(block.modulation.weight)
    x, condition = torch.randn(2, 5, 8), torch.randn(2, 8)
    shift, scale, weight, *rest = torch.randn(6, 8)
    block.modulation.bias.data = torch.stack([shift, scale, weight, *torch.zeros(3, 8)]).flatten()
    inner = block.block
    expected = x + weight * inner.attention(inner.attention_norm(x) * (1 + scale) + shift)
    torch.testing.assert_close(block(x, condition), expected)


def test_image_time_and_class_count_and_patches_keep_their_places():
    torch.manual_seed(0)
    model = DiT((1, 4, 4), **OPTIONS).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, 1, 4, 4, requires_grad=True)
    time, classes = torch.full((1,), 0.3), torch.tensor([0])
    output = model(x, time, classes)
    assert not torch.allclose(output, model(x, time + 0.5, classes))
    assert not torch.allclose(output, model(x, time, classes + 1))
    for k in range(4):
        row, column = 2 * (k // 2), 2 * (k % 2)
        part = output[0, 0, row : row + 2, column : column + 2].square().sum()
        (gradient,) = torch.autograd.grad(part, x, retain_graph=True)
        assert (gradient != 0).all()


def test_patches_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"model.patch=3 does not divide images of 8x8"):
        DiT((1, 8, 8), patch=3)
