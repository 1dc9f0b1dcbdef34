"""Random numbers of this process, left as they were."""

import contextlib
from collections.abc import Iterator

import torch

from zoo.training.runtime import rng_state, set_rng_state


@contextlib.contextmanager
def rng_kept() -> Iterator[None]:
    """Random numbers outside continue as if nothing inside had been drawn or seeded."""
    devices = [torch.device("cpu")]
    if torch.cuda.is_initialized():
        devices += [torch.device("cuda", k) for k in range(torch.cuda.device_count())]
    states = [rng_state(device) for device in devices]
    try:
        yield
    finally:
        for device, state in zip(devices, states, strict=True):
            set_rng_state(device, state)
