"""ViT: patches in reading order, and what is classified."""

import pytest
import torch

from zoo.errors import UserError
from zoo.models.vit import ViT


def test_patches_are_read_row_by_row():
    model = ViT((1, 4, 6), 2, patch=2, width=4, depth=0, heads=1)
    seen = []
    model.norm.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        model.patches.weight.zero_()
        model.patches.weight[0] = 1.0  # the first feature is the sum over the patch
        model.patches.bias.zero_()
        model.position.weight.zero_()
    x = torch.arange(24.0).view(1, 1, 4, 6)
    model(x)
    expected = [
        x[0, 0, i : i + 2, j : j + 2].sum().item() for i in range(0, 4, 2) for j in range(0, 6, 2)
    ]
    assert seen[0][0, :, 0].tolist() == expected


def test_a_patch_is_known_by_its_position_alone():
    torch.manual_seed(0)
    model = ViT((1, 4, 4), 2, patch=2, width=8, depth=1, heads=2).eval()
    torch.nn.init.normal_(model.head.weight)
    x = torch.randn(1, 1, 4, 4)
    swapped = torch.cat([x[..., 2:], x[..., :2]], dim=-1)
    assert not torch.allclose(model(x), model(swapped))
    torch.nn.init.zeros_(model.position.weight)
    torch.testing.assert_close(model(x), model(swapped))


def test_the_first_token_is_an_extra_one():
    model = ViT((1, 4, 4), 2, patch=2, width=8, depth=1, heads=2, pool="first")
    assert model.position.weight.shape == (5, 8)
    torch.nn.init.normal_(model.head.weight)
    seen = []
    model.head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.norm.register_forward_hook(lambda module, given, found: seen.append(found))
    model(torch.randn(3, 1, 4, 4))
    torch.testing.assert_close(seen[1], seen[0][:, 0])


def test_patches_that_do_not_fit():
    with pytest.raises(UserError, match="model.patch=3 does not divide images of 8x8 pixels"):
        ViT((1, 8, 8), 2, patch=3)
