"""A plugin: an MLP that ends its process in the way that its width says."""

import ctypes
import os
import resource
import signal
import time

import torch

from zoo.models.mlp import MLP
from zoo.registry import MODELS


@MODELS.register("bad")
class Bad(MLP):
    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int,
        depth: int,
        activation: str,
        norm: str,
        dropout: float,
    ) -> None:
        super().__init__(input_shape, num_outputs, width, depth, activation, norm, dropout)
        self.kind = width

    def forward(self, x):
        if self.kind == 11:
            raise RuntimeError("a layer that does not fit")
        if self.kind == 12:
            return super().forward(x) * float("nan")
        if self.kind == 13:
            resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
            torch.empty(2**34)
        if self.kind == 14:
            ctypes.string_at(0)
        if self.kind == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == 16:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
        return super().forward(x)
