"""A number on its way from the device, which nothing waits for until it is read."""

import torch
from torch import Tensor


class HostCopy:
    """Copies a scalar tensor in the background. Read it a step later, when the device is done with
    it anyway."""

    def __init__(self, value: Tensor) -> None:
        self._value, self._event = value.detach(), None
        if value.device.type != "cpu":
            pinned = value.device.type == "cuda"
            host = torch.empty_like(self._value, device="cpu", pin_memory=pinned)
            self._value = host.copy_(self._value, non_blocking=True)
            self._event = torch.Event(value.device.type)
            self._event.record()

    def read(self) -> float:
        """The number."""
        if self._event is not None:
            self._event.synchronize()
        return self._value.item()
