"""`data.spread_labels=true`: labels for all training images, from a few and a network's codes.

Shapes: B batch, C channels, H height, W width, D numbers of a code.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.data.dataset import Dataset
from zoo.data.label_spreading import with_spread_labels
from zoo.errors import UserError
from zoo.restandardise import pixel_rescaling
from zoo.teacher import Teacher


def spread_among(teacher: Teacher, dataset: Dataset, few: Dataset) -> None:
    """Replace the training labels by those that spread from a few among a network's codes.

    Args:
        teacher: The network of `teacher.from`.
        dataset: With all training images.
        few: With those alone whose labels are known.

    Raises:
        UserError: The network makes no codes, or of other images; the data is no images in memory.
    """
    network: Any = teacher.model  # any that encodes
    name = type(network).__name__
    if not hasattr(network, "encode") or getattr(network, "classes", False):
        raise UserError(
            f"data.spread_labels=true: the network of teacher.from ({name}) gives no codes "
            f"of images without a class; train one with model=vae task=elbo"
        )
    here, there = (tuple(f.get("input_shape", ())) for f in (dataset.facts, teacher.data_facts))
    if here != there:
        raise UserError(
            f"data.spread_labels=true: the network of teacher.from takes images of shape {there}, "
            f"got {here}; train one on this data"
        )
    mean, std = dataset.facts.get("pixel_mean"), dataset.facts.get("pixel_std")
    scale, shift = pixel_rescaling(mean, std, teacher.data_facts)
    device = next(network.parameters()).device

    @torch.no_grad()
    def codes(images: Tensor) -> Tensor:
        """The mean code of each image, (B, D)."""
        return network.encode((images * scale + shift).to(device))[0]

    with_spread_labels(dataset, few, codes)
