"""Probe: a linear classifier on the features of another network, which was trained without labels.

Kingma et al., 2014, https://arxiv.org/abs/1406.5298, model M1: a VAE learns from all images, and a
classifier on its features from the few images with labels. A linear layer on frozen features is the
probe of Alain and Bengio, 2017, https://arxiv.org/abs/1610.01644.
Differs from the paper: a linear layer where M1 has a support vector machine, on what the network
offers as `features` (of a VAE its encoder's last hidden layer, where M1 takes the code).
Shapes: B batch, C channels, H height, W width, D features, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.restandardise import pixel_rescaling


@MODELS.register("probe", task="classification", tiny=dict(input_shape=(1, 4, 4), num_classes=3))
class Probe(nn.Module):
    """One linear layer, on the features of a network that stays as it is.

    Args:
        input_shape: (C, H, W).
        num_classes: K.
        pixel_mean, pixel_std: Of each channel, by which this data is standardised.
        teacher: The network of `teacher.from`; None takes the pixels themselves, which its features
            have to beat.
        teacher_facts: Of the data that it was trained on.
    """

    scale: Tensor  # (C, 1, 1)
    shift: Tensor

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        pixel_mean: list[float] | None = None,
        pixel_std: list[float] | None = None,
        teacher: nn.Module | None = None,
        teacher_facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check(teacher, input_shape, teacher_facts or {})
        self.teacher: Any = teacher  # any network with `features`
        scale, shift = pixel_rescaling(pixel_mean, pixel_std, teacher_facts or {})
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.head = nn.Linear(self._count(input_shape), num_classes)
        nn.init.normal_(self.head.weight, std=0.01)  # nearly equal logits at the start
        nn.init.zeros_(self.head.bias)

    def _count(self, input_shape: tuple[int, ...]) -> int:
        """D, found by a call: a network does not state it."""
        like = next((p for p in self.parameters()), self.scale)  # on the device of the teacher
        image = like.new_zeros(1, *input_shape)
        with torch.no_grad():
            return (self.teacher.features(image) if self.teacher else image.flatten(1)).shape[1]

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D), without gradients."""
        with torch.no_grad():
            x = x * self.scale + self.shift
            return self.teacher.features(x) if self.teacher else x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the logits (B, K)."""
        return self.head(self.features(x))


def _check(teacher: nn.Module | None, input_shape: tuple[int, ...], facts: dict[str, Any]) -> None:
    """Check that there are features, of such images.

    Raises:
        UserError: There are none.
    """
    if teacher is None:
        return
    if not hasattr(teacher, "features"):
        raise UserError(
            f"model=probe needs features, and the network of teacher.from ({type(teacher).__name__}"
            f") gives none; train one with model=vae"
        )
    then = tuple(facts.get("input_shape", input_shape))
    if then != tuple(input_shape):
        raise UserError(
            f"model=probe: the network of teacher.from takes images of shape {then}, got "
            f"{tuple(input_shape)}; train one on this data"
        )
