"""Checkpoints that tests damage."""

import pytest
from sample_checkpoints import tensors

from zoo.training.checkpoint import (
    Checkpointer,
)


@pytest.fixture
def checkpoints(tmp_path):
    """A folder with two good checkpoints, of steps 10 and 20."""
    keeper = Checkpointer(tmp_path / "checkpoints")
    keeper.save("last", 10, tensors(10), {"step": 10})
    keeper.save("last", 20, tensors(20), {"step": 20})
    return keeper
