"""Pictures that tasks draw."""

from torch import Tensor, nn

from zoo.tasks.base import Batch, Pictures


def classification_pictures(
    model: nn.Module,
    batch: Batch,
    means: dict[str, Tensor],
    class_names: list[str],
    pictures: Pictures,
) -> None:
    pass


def regression_pictures(predicted: Tensor, target: Tensor, pictures: Pictures) -> None:
    pass
