"""Linear probe: only the output layer is trained, if the model has one of its own."""

import pytest

from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.resnet import ResNet
from zoo.registry import ADAPTERS


def test_only_the_output_layer_is_trained():
    model = ADAPTERS.build({"name": "head"}, model=ResNet((1, 8, 8), 3, 8, 4))
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {"fc.weight", "fc.bias"}


def test_a_head_tied_to_the_embedding_is_refused():
    model = GPT(16, 8, width=16, depth=1, heads=2)
    with pytest.raises(UserError, match="finds no output layer"):
        ADAPTERS.build({"name": "head"}, model=model)
