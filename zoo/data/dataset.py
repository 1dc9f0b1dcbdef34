"""Datasets: splits, the facts that follow from the data, and their encoding."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.contents import Content
from zoo.data.encoding import Encoding
from zoo.rng import sample_seeds


class Source(Protocol):
    """The samples of one split, read one by one, by worker processes."""

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
        """The samples at `index` (int64 (B,)), as one batch of B, the same in each epoch."""
        index = index.to(next(iter(self.columns.values())).device, non_blocking=True)
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
    """The result of a registered dataset builder.

    Attributes:
        facts: Facts of the data that models or tasks may ask for by name: `input_shape`
            (one sample's, as the model sees it), `num_outputs`; classification adds `num_classes`,
            `class_names`, `class_counts` (training split); regression adds `target_mean`,
            `target_std` (training split; stored targets are standardised by them); tables add
            `feature_names` and `feature_scales` (mean and standard deviation of each).
        splits: "train", "val", "test". Batches hold `input` and `target` (int64 class, or
            float32 of shape (N, num_outputs)).
        encoding: Turns stored form into model input; goes into the run directory.
        sha256: Of the content, so that a resumed run notices data that changed.
        augment: Training only, on the device: (prepared batch, one int64 seed per sample) to batch.
        notes: Lines for the header of a run: sizes, what was left out.
        altered: Lines on what settings change of a split, by its name, for those who evaluate it.
        contents: How each column of a table was understood, for the header.
        conversations: The messages of each split, for those who evaluate a run on such data.
    """

    facts: dict[str, Any]
    splits: dict[str, Any]  # Source or zoo.batch.BatchSource
    encoding: Encoding
    sha256: str
    augment: Callable[[Batch, Tensor], Batch] | None = None
    notes: list[str] = field(default_factory=list)
    altered: dict[str, list[str]] = field(default_factory=dict)
    contents: list[Content] = field(default_factory=list)
    conversations: dict[str, list[list[dict[str, str]]]] = field(default_factory=dict)

    def augment_samples(self, batch: Batch, seed: int, epoch: Tensor, index: Tensor) -> Batch:
        """Augment a prepared batch.

        Args:
            batch: N samples.
            seed: Of the run.
            epoch: Of each sample, int64 (N,).
            index: Number of each sample, int64 (N,).
        """
        assert self.augment is not None
        seeds = sample_seeds(seed, epoch, index).to(batch["input"].device, non_blocking=True)
        return self.augment(batch, seeds)


def text_fingerprint(splits: Mapping[str, Iterable[str]]) -> str:
    """SHA-256 over the texts and names of splits, these sorted."""
    total = hashlib.sha256()
    for split in sorted(splits):
        for text in splits[split]:
            total.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        total.update(split.encode())
    return total.hexdigest()


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """SHA-256 over the bytes, types and shapes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
