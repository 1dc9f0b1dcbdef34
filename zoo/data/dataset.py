"""What every dataset gives: splits, the facts that follow from the data, and their encoding."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.rng import sample_seeds


class Encoding(Protocol):
    """How a raw input (an image file, a row of a table) becomes what the model takes.

    Fitted on the training rows, kept in the run directory as JSON, so that evaluation and
    prediction on other files need nothing but the run.
    """

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding; `kind` names its class in `encodings`."""

    def prepare(self, batch: Batch) -> Batch:
        """Stored form to model input, on the batch's device (bytes to standardised floats)."""

    def read(self, path: str) -> tuple[list[str], Batch]:
        """Names and stored-form batch of what lies at `path`: a file, a folder, a table."""


class Source(Protocol):
    """The samples of one split. What has `fetch(index, epoch)` (`TensorSource`, `TokenSource`) is
    asked for whole batches; others are asked sample by sample, by workers."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Batch: ...


class TensorSource:
    """Samples held as tensors: each column's first dimension counts the samples."""

    def __init__(self, columns: Batch) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        assert len(set(lengths.values())) == 1, f"columns of unequal length: {lengths}"
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> Batch:
        return {name: column[index] for name, column in self.columns.items()}

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The samples at `index` (int64, shape (N,)), as one batch of N, alike in each epoch."""
        index = index.to(next(iter(self.columns.values())).device)
        return {name: column[index] for name, column in self.columns.items()}

    def to(self, device: torch.device) -> "TensorSource":
        """The same samples on another device."""
        return TensorSource({name: column.to(device) for name, column in self.columns.items()})

    @property
    def nbytes(self) -> int:
        """Bytes that all columns take."""
        return sum(column.nbytes for column in self.columns.values())


@dataclass
class Dataset:
    """What a registered dataset builder returns.

    Attributes:
        facts: What follows from the data and models or tasks may ask for by name: `input_shape`
            (one sample's, as the model sees it), `num_outputs`; classification adds `num_classes`,
            `class_names`, `class_counts` (training split); regression adds `target_mean`,
            `target_std` (training split; stored targets are standardised by them); tables add
            `feature_names` and `feature_scales` (mean and deviation of each).
        splits: "train", "val", "test". Batches hold `input` and `target` (int64 class, or
            float32 of shape (N, num_outputs)).
        encoding: Turns stored form into model input; goes into the run directory.
        sha256: Of the content, so that a resumed run notices data that changed.
        augment: Training only, on the device: (prepared batch, one int64 seed per sample) to batch.
    """

    facts: dict[str, Any]
    splits: dict[str, Source]
    encoding: Encoding
    sha256: str
    augment: Callable[[Batch, Tensor], Batch] | None = None
    notes: list[str] = field(default_factory=list)

    def augment_samples(self, batch: Batch, seed: int, epoch: Tensor, index: Tensor) -> Batch:
        """Augment a prepared batch; a sample's seed comes of run seed, epoch and number."""
        assert self.augment is not None
        seeds = sample_seeds(seed, epoch, index).to(batch["input"].device)
        return self.augment(batch, seeds)


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """SHA-256 over the bytes, types and shapes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
