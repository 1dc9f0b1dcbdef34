"""An optimizer's state to a checkpoint and back, by the names of parameters."""

from typing import Any

import torch
from torch import Tensor


def parts(optimizer: Any) -> list[torch.optim.Optimizer]:
    """The torch optimizers that an optimizer consists of."""
    return getattr(optimizer, "parts", [optimizer])


def optimizer_tensors(optimizer: Any, names: dict[int, str]) -> dict[str, Tensor]:
    """The optimizer's state as CPU tensors named `<parameter>|<quantity>`.

    Args:
        optimizer: As a builder returns it.
        names: Parameter names by `id`.
    """
    tensors = {}
    for inner in parts(optimizer):
        for parameter, state in inner.state.items():
            for key, value in state.items():
                tensor = value if isinstance(value, Tensor) else torch.tensor(value)
                tensors[f"{names[id(parameter)]}|{key}"] = tensor.cpu().contiguous()
    return tensors


def load_optimizer(optimizer: Any, names: dict[int, str], tensors: dict[str, Tensor]) -> None:
    """Restore the state that `optimizer_tensors` returned."""
    by_parameter: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, quantity = key.rsplit("|", 1)
        by_parameter.setdefault(name, {})[quantity] = tensor
    for inner in parts(optimizer):
        state = inner.state_dict()
        flat = [p for group in inner.param_groups for p in group["params"]]
        state["state"] = {
            i: {key: _match_memory_format(p, t) for key, t in by_parameter[names[id(p)]].items()}
            for i, p in enumerate(flat)
            if names[id(p)] in by_parameter
        }
        inner.load_state_dict(state)


def _match_memory_format(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in its parameter's memory order, which fused kernels take for granted."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
