"""What a model is trained on at once: named columns whose first dimension counts the samples."""

from torch import Tensor

Batch = dict[str, Tensor]
