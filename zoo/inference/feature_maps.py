"""What a convolutional model computes on the way, and what its answer rests on.

Stages are found by watching a forward pass, so that a model need not name them.
Shapes: N images, C channels, H and W height and width, T tokens, K classes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

LEAST_SIDE = 4  # positions that a map needs along each side to show where something is


class Stage(NamedTuple):
    """The last maps of one resolution.

    Attributes:
        module: What computed them.
        maps: (N, C, H, W).
    """

    module: nn.Module
    maps: Tensor


def stages(model: nn.Module, images: Tensor) -> list[Stage]:
    """The stages of a convolutional model, coarser and coarser; none for another model.

    A stage ends where the resolution changes. A model that goes on with tokens after its last maps,
    as a vision transformer does after its patches, is not convolutional.

    Args:
        model: In evaluation mode.
        images: (N, C, H, W).
    """
    outputs = _watch(model, images)
    maps = [k for k, (_, output) in enumerate(outputs) if _is_map(output)]
    convolves = any(isinstance(module, nn.Conv2d) for module, _ in outputs)
    if not maps or not convolves or any(output.dim() > 2 for _, output in _after(outputs, maps)):
        return []
    found: dict[tuple[int, ...], Stage] = {}
    for k in maps:
        module, output = outputs[k]
        found.pop(tuple(output.shape[2:]), None)  # a later one takes its place, at the end
        found[tuple(output.shape[2:])] = Stage(module, output)
    return list(found.values())


def _after(outputs: Sequence[Any], maps: Sequence[int]) -> list[Any]:
    """What follows the last map, pooled maps of one position excluded."""
    rest = outputs[maps[-1] + 1 :]
    return [(m, output) for m, output in rest if output.shape[2:].numel() > 1 or output.dim() == 3]


def _is_map(output: Tensor) -> bool:
    return output.dim() == 4 and output.shape[2] * output.shape[3] > 1


def _watch(model: nn.Module, images: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """Each part of the model and its output, in the order of the computation."""
    outputs: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.append((module, output))

    parts = (module for module in model.modules() if module is not model)
    handles = [module.register_forward_hook(keep) for module in parts]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def stage_to_explain(found: Sequence[Stage]) -> Stage:
    """The last stage whose maps show where something is; else the one with the largest maps."""
    fine = [stage for stage in found if min(stage.maps.shape[2:]) >= LEAST_SIDE]
    return fine[-1] if fine else max(found, key=lambda stage: stage.maps.shape[2:].numel())


def grad_cam(model: nn.Module, module: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Where the evidence for a class is: Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391).

    Each map of the stage is weighted by the mean gradient of the class's logit with respect to it;
    the positive part of their sum is the answer. After global average pooling and one linear layer
    that is CAM (Zhou et al., 2016) times a constant.

    Args:
        model: In evaluation mode; (N, ...) to logits (N, K).
        module: The part of it that computes the maps (`stages`).
        images: (N, C, H, W).
        classes: Int64 (N,), the class to explain for each.

    Returns:
        (N, H', W'), not negative, in logits.
    """
    kept: list[Tensor] = []

    def replace(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # which the model may change in place

    handle = module.register_forward_hook(replace)
    try:
        with torch.enable_grad():
            logits = model(images).float()
            score = logits.gather(1, classes[:, None]).sum()
            (gradient,) = torch.autograd.grad(score, kept[-1])
    finally:
        handle.remove()
    weights = gradient.float().mean((2, 3), keepdim=True)  # (N, C', 1, 1)
    return (weights * kept[-1].detach().float()).sum(1).relu()
