"""torch.optim.AdamW without the bookkeeping that outweighs a small model's step."""

from typing import Any

import torch
from torch import Tensor

STATE = ("exp_avg", "exp_avg_sq", "step")


class FusedAdamW(torch.optim.AdamW):
    """torch.optim.AdamW, its fused kernel called without the wrapping: for a small model, torch's
    bookkeeping around each step takes longer than the step.

    State, state_dict and numbers are torch's own. Every other case (parameters without gradient
    or state, several dtypes, fp16 loss scaling) is torch's own step.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        _skip_dynamo_import()
        super().__init__(*arguments, **options)

    def step(self, closure: Any = None) -> Any:
        """One update of every parameter."""
        if closure is not None or hasattr(self, "found_inf") or not self._fast_path_applies():
            return super().step(closure)
        with torch.no_grad():
            for group, (params, averages, squares, steps) in zip(self.param_groups, self._lists):
                torch._foreach_add_(steps, 1)
                torch._fused_adamw_(
                    params,
                    [p.grad for p in params],
                    averages,
                    squares,
                    [],
                    steps,
                    lr=group["lr"],
                    beta1=group["betas"][0],
                    beta2=group["betas"][1],
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    amsgrad=False,
                    maximize=False,
                )
        return None

    step.hooked = True  # type: ignore[attr-defined]  # no profiler record around each step

    def _fast_path_applies(self) -> bool:
        """Whether each parameter has a gradient; collects the kernel's lists once."""
        if any(p.grad is None for group in self.param_groups for p in group["params"]):
            return False
        if not hasattr(self, "_lists"):
            parameters = [p for group in self.param_groups for p in group["params"]]
            if len({(p.device, p.dtype) for p in parameters}) != 1:
                return False
            for p in parameters:
                if not self.state[p]:
                    self.state[p] = _fresh_state(p)
            self._lists = [
                (group["params"], *([self.state[p][key] for p in group["params"]] for key in STATE))
                for group in self.param_groups
            ]
        return True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint; the lists are collected again."""
        super().load_state_dict(state_dict)
        self.__dict__.pop("_lists", None)


def _fresh_state(p: Tensor) -> dict[str, Tensor]:
    """The initial state of a parameter in torch's fused AdamW."""
    average, square = torch.zeros_like(p), torch.zeros_like(p)
    step = torch.zeros((), dtype=torch.float32, device=p.device)
    return {"step": step, "exp_avg": average, "exp_avg_sq": square}


def _skip_dynamo_import() -> None:
    """Keep torch.optim from importing torch's compiler, which takes as long as importing torch.

    It does so only to mark its bookkeeping as not to be compiled. Nothing compiles it here, so the
    function is marked without the import. Where torch has changed, the import happens as before.
    """
    marked = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    if marked is not None and not hasattr(marked, "__dynamo_disable"):
        marked.__dynamo_disable = marked
