"""What tasks may ask of a model, and sums that lose no digits."""

import torch
from torch import nn

from zoo.models.gpt import GPT
from zoo.models.mlp import MLP
from zoo.models.rnn import RNN
from zoo.tasks.base import accepts_targets, context_of, to_float64


def test_a_model_states_whether_it_takes_targets_and_how_much_it_reads():
    gpt = GPT(16, block_size=8, width=8, depth=1, heads=2)
    rnn, mlp = RNN(16, width=8, depth=1), MLP((4,), 3, width=8, depth=1)
    assert [accepts_targets(model) for model in (gpt, rnn, mlp)] == [True, False, False]
    assert [context_of(model) for model in (gpt, rnn, mlp)] == [8, None, None]


def test_a_wrapper_for_several_devices_counts_as_its_model():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    assert accepts_targets(Wrapper(GPT(16, block_size=8, width=8, depth=1, heads=2)))
    assert not accepts_targets(Wrapper(nn.Linear(2, 2)))


def test_sums_are_in_float64_where_the_device_has_it():
    assert to_float64(torch.ones(2)).dtype == torch.float64
