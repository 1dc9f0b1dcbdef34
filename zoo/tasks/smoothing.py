"""Label smoothing (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567), taken out of a loss.

The smoothed loss cannot be compared with that of an evaluation, which is plain: its least value is
far above 0. So it is optimised, and the plain one is reported.
"""

import torch
from torch import Tensor

from zoo.kernels import IGNORE_INDEX


def smoothing_excess(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """How much larger the smoothed cross-entropy of each prediction is than the plain one, (N,).

    The two differ by smoothing x (the target's logit - the mean of all logits): no exponential is
    needed. Call it before the loss, which may overwrite the logits.

    Args:
        logits: (N, V).
        target: Int64 (N,); IGNORE_INDEX has none.
        smoothing: The fraction of the target that is spread over all classes.
    """
    with torch.no_grad():
        counted = target != IGNORE_INDEX
        right = logits.gather(1, target.where(counted, target.new_zeros(()))[:, None])[:, 0]
        wide = torch.promote_types(logits.dtype, torch.float32)
        difference = right.to(wide) - logits.mean(1, dtype=wide)
        return smoothing * difference * counted
