"""Whether anything listens to a module: then it must be called, and no kernel in its place."""

from torch import nn
from torch.nn.modules.module import _has_any_global_hook

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def has_hooks(module: nn.Module) -> bool:
    """Whether the module has hooks or a `forward` of its own, or all modules have hooks."""
    own = vars(module)
    return "forward" in own or any(own[name] for name in _HOOKS) or bool(_has_any_global_hook())
