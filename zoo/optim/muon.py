"""torch.optim.Muon, matrices of one shape orthogonalised together.

Jordan et al., 2024, https://kellerjordan.github.io/posts/muon.
Shapes: N matrices alike, R rows, C columns, R <= C.
"""

import math
from typing import Any

import torch
from torch import Tensor


class StackedMuon(torch.optim.Muon):
    """torch.optim.Muon whose Newton-Schulz iterations go over stacks of matrices: the blocks of a
    Transformer keep a processor busy together that none of their small matrices would alone.

    State and state_dict are torch's own; numbers differ by the rounding of bfloat16.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params: list[Tensor] = []
            grads: list[Tensor] = []
            averages: list[Tensor] = []
            self._init_group(group, params, grads, averages)
            if params:
                self._update(group, params, grads, averages)
        return loss

    def _update(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        averages: list[Tensor],
    ) -> None:
        momentum, lr = group["momentum"], group["lr"]
        torch._foreach_lerp_(averages, grads, 1 - momentum)
        ahead = torch._foreach_lerp(grads, averages, momentum) if group["nesterov"] else averages
        torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        stacks: dict[Any, list[int]] = {}  # those alike once they lie on their longer side
        for k, p in enumerate(params):
            stacks.setdefault((min(p.shape), max(p.shape), p.device), []).append(k)
        for members in stacks.values():
            tall = [params[k].shape[0] > params[k].shape[1] for k in members]
            stack = torch.stack([ahead[k].T if t else ahead[k] for k, t in zip(members, tall)])
            found = orthogonalise(
                stack.bfloat16(), group["ns_coefficients"], group["ns_steps"], group["eps"]
            )
            for k, t, update in zip(members, tall, found):
                p = params[k]
                rate = lr * math.sqrt(max(1.0, p.shape[0] / p.shape[1]))
                p.add_(update.T if t else update, alpha=-rate)


def orthogonalise(
    x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Nearly the closest orthogonal matrices: (N, R, C) to the same, singular values about one.

    A quintic Newton-Schulz iteration, which overshoots on purpose: it needs few steps.
    """
    a, b, c = coefficients
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
