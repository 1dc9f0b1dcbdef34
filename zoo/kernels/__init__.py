"""Operations: what each computes (attention.py, functional.py), and faster ways (cpu/).

Importing the package registers every implementation: each module of each subpackage is imported.
"""

import importlib
import pkgutil

from zoo.kernels.attention import attention, attention_weights
from zoo.kernels.functional import (
    IGNORE_INDEX,
    cross_entropy,
    gelu_tanh,
    linear,
    linear_cross_entropy,
)
from zoo.kernels.registry import KERNELS, reference_kernels

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = [
    "IGNORE_INDEX", "KERNELS", "attention", "attention_weights", "cross_entropy", "gelu_tanh",
    "linear", "linear_cross_entropy", "reference_kernels",
]  # fmt: skip
