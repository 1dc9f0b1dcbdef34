"""Some of the layers of trained weights in a model of another depth."""

import pytest
import torch

from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.resnet import ResNet
from zoo.weights.layers import check_layers, with_layers

SETTINGS = {"depth": 3}


def weights():
    torch.manual_seed(0)
    return GPT(16, 8, width=16, depth=3, heads=2).state_dict()


def test_every_other_layer_is_that_of_the_weights():
    known, student = weights(), GPT(16, 8, width=16, depth=2, heads=2)
    check_layers([0, 2], known, SETTINGS)
    student.load_state_dict(with_layers(known, [0, 2]))
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, known[name.replace("blocks.1.", "blocks.2.")]), name


def test_a_layer_may_be_taken_twice():
    known, deeper = weights(), GPT(16, 8, width=16, depth=4, heads=2)
    deeper.load_state_dict(with_layers(known, [0, 1, 1, 2]))
    assert torch.equal(deeper.blocks[1].attention.out.weight, deeper.blocks[2].attention.out.weight)


@pytest.mark.parametrize(
    ("layers", "tensors", "settings", "message"),
    [
        ([0, 3], weights(), SETTINGS, "init.layers: 3 is none of .* expected 0 to 2"),
        ([-1], weights(), SETTINGS, "init.layers: -1 is none of"),
        ([0], {"head.weight": torch.ones(1)}, {}, "no single stack"),
        ([0], ResNet((1, 8, 8), 3, depth=8, width=4).state_dict(), {"depth": 8}, "no single stack"),
    ],
)
def test_layers_that_are_not_there(layers, tensors, settings, message):
    with pytest.raises(UserError, match=message):
        check_layers(layers, tensors, settings)
