"""Whether a module has hooks: then it must be called, and no kernel in its place."""

from torch import nn
from torch.nn.modules.module import _has_any_global_hook

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def has_hooks(module: nn.Module) -> bool:
    """Whether the module has hooks or a `forward` of its own, or all modules have hooks."""
    state = vars(module)
    hooked = "forward" in state or any(state[name] for name in _HOOKS)
    return hooked or bool(_has_any_global_hook())
