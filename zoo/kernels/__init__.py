"""Operations: their references (attention.py, functional.py, grouped.py, selective_scan.py, ...)
and faster ones (cpu/, cuda/, chunked_scan.py).

Importing the package registers every implementation: each module of each subpackage is imported.
"""

import importlib
import pkgutil

from zoo.kernels.attention import attention, attention_weights
from zoo.kernels.functional import (
    IGNORE_INDEX,
    cross_entropy,
    dropout,
    gelu_tanh,
    linear,
    linear_cross_entropy,
    no_autocast,
    normalise,
)
from zoo.kernels.grouped import count_choices, grouped_linear, mixed_experts
from zoo.kernels.padding import padding_mask, select_labels, trim_padding
from zoo.kernels.registry import (
    KERNELS,
    forget_used_kernels,
    kernel_choice,
    reference_kernels,
    used_kernels,
)
from zoo.kernels.selective_scan import selective_scan
from zoo.kernels.word2vec import band, banded_logistic_loss, batched_scores

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = [
    "IGNORE_INDEX", "KERNELS", "attention", "attention_weights", "band", "banded_logistic_loss",
    "batched_scores", "count_choices", "cross_entropy", "dropout", "forget_used_kernels",
    "gelu_tanh", "grouped_linear", "kernel_choice", "linear", "linear_cross_entropy",
    "mixed_experts", "no_autocast", "normalise", "padding_mask", "reference_kernels",
    "select_labels", "selective_scan", "trim_padding", "used_kernels",
]  # fmt: skip
