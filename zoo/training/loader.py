"""Batch order as a pure function of (seed, position).

Training reads an endless stream: epoch after epoch, each a fresh permutation of the training
split. Step k takes samples [k B, (k + 1) B) of the stream, B the batch size, so every batch is
full, none is dropped, resuming at step k costs nothing, and neither ranks, micro-batches nor
workers change what a step sees: they only cut its B samples into parts.

Sequences of unequal length waste time as padding. Where a split has a `bucket_key`, a number per
sample (its length), each epoch's permutation is sorted by it within pools of BUCKET_BATCHES
batches, and whole batches are shuffled: a batch then holds samples of similar length, and all else
above stays true.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from zoo.batch import Batch, BatchSource, Bucketed, Padded, spread
from zoo.errors import UserError
from zoo.rng import mix_seed
from zoo.training.runtime import Runtime

CHUNK_BYTES = 32 * 2**20  # samples gathered, prepared and augmented at once for many small steps
CHUNK_STEPS = 64
BUCKET_BATCHES = 100  # batches sorted together: enough of each length, and still shuffled
REPEATS, SMALL = 100, 10_000  # limits: repetitions of the split in a batch, its samples
DEVICE_FRACTION = 0.25  # of a GPU's free memory that the data may take


class ShuffledSampler:
    """The endless shuffled stream of sample numbers.

    Args:
        size: Samples in an epoch.
        seed: Of the shuffling.
        bucket_key: Sort key of samples, so that those of a batch are similar, (size,), or None.
        batch_size: Samples in such a batch.
        numbers: The samples of an epoch, where it has only a part of a split, int64 (size,).
    """

    def __init__(
        self,
        size: int,
        seed: int,
        bucket_key: Tensor | None = None,
        batch_size: int = 1,
        numbers: Tensor | None = None,
    ) -> None:
        self.size, self.seed = size, seed
        self.bucket_key, self.batch_size, self.numbers = bucket_key, batch_size, numbers
        self._epochs: dict[int, Tensor] = {}

    def _permutation(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            generator = torch.Generator().manual_seed(mix_seed(self.seed, epoch))
            previous = {e: p for e, p in self._epochs.items() if e == epoch - 1}
            order = torch.randperm(self.size, generator=generator)
            if self.bucket_key is not None:
                order = self._bucket_by_length(order, self.bucket_key, epoch, generator)
            if self.numbers is not None:
                order = self.numbers[order]
            self._epochs = previous | {epoch: order}
        return self._epochs[epoch]

    def _bucket_by_length(
        self, order: Tensor, lengths: Tensor, epoch: int, generator: torch.Generator
    ) -> Tensor:
        size = self.batch_size
        head = min(-epoch * self.size % size, self.size)  # ends the previous epoch's last batch
        last = head + (self.size - head) // size * size
        parts = [order[:head]]
        for pool in order[head:last].split(BUCKET_BATCHES * size):
            batches = pool[lengths[pool].sort(stable=True).indices].view(-1, size)
            parts += batches[torch.randperm(len(batches), generator=generator)].unbind()
        return torch.cat([*parts, order[last:]])

    def samples(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Sample numbers and their epochs at stream positions start to stop - 1, int64 each."""
        indices, epochs = [], []
        while start < stop:
            epoch, offset = divmod(start, self.size)
            count = min(stop - start, self.size - offset)
            indices.append(self._permutation(epoch)[offset : offset + count])
            epochs.append(torch.full((count,), epoch))
            start += count
        return torch.cat(indices), torch.cat(epochs)


class Loader:
    """Batches for the trainer, on its device.

    Args:
        dataset: Splits, and how to prepare and augment a batch (zoo.data.dataset.Dataset).
        batch_size: Samples in one optimizer step, over all micro-batches and ranks.
        seed: Seed of the order and of each sample's augmentation.
        runtime: Device, rank and number of ranks.
        accumulate: Micro-batches per step.
        workers: Processes that decode samples which are not held as tensors.
        overfit: Return the first batch in every step, unaugmented, also for the other splits.
        max_samples: Of each split that are used, spread over it; None for all.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        seed: int,
        runtime: Runtime,
        accumulate: int = 1,
        workers: int = 0,
        overfit: bool = False,
        max_samples: int | None = None,
    ) -> None:
        if batch_size < accumulate * runtime.ranks:
            raise UserError(
                f"data.batch_size={batch_size} cannot be cut into {accumulate} micro-batches for "
                f"each of {runtime.ranks} devices; raise it to {accumulate * runtime.ranks} or more"
            )
        if batch_size > (most := max(SMALL, REPEATS * len(dataset.splits["train"]))):
            raise UserError(
                f"data.batch_size={batch_size}: the training split has "
                f"{len(dataset.splits['train']):,} samples; expected {most:,} or less"
            )
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.runtime, self.accumulate, self.workers = runtime, accumulate, workers
        self.overfit = overfit
        self.splits = {name: self._place(source) for name, source in dataset.splits.items()}
        self._batched = {name: isinstance(s, BatchSource) for name, s in self.splits.items()}
        source = dataset.splits["train"]
        self._padded = isinstance(source, Padded)
        bucket_key = source.bucket_key if isinstance(source, Bucketed) else None
        self.numbers = {name: spread(len(s), max_samples) for name, s in self.splits.items()}
        self.sizes = {name: len(numbers) for name, numbers in self.numbers.items()}  # as used
        numbers = None
        if self.sizes["train"] < len(source):
            numbers = self.numbers["train"]
            bucket_key = bucket_key[numbers] if bucket_key is not None else None
        self.sampler = ShuffledSampler(self.sizes["train"], seed, bucket_key, batch_size, numbers)
        self.steps_per_epoch = self.sizes["train"] / batch_size
        micro_batch = math.ceil(batch_size / (accumulate * runtime.ranks))
        self.evaluation_size = 4 * micro_batch  # without gradients, it needs no more memory

    def _place(self, source: Any) -> Any:
        """Tensors go to the device if they take little of its memory."""
        if not isinstance(source, BatchSource) or self.runtime.device.type == "cpu":
            return source
        if source.nbytes < DEVICE_FRACTION * self.runtime.free_bytes():
            return source.to(self.runtime.device)
        return source

    def training(self, start: int, stop: int) -> Iterator[list[Batch]]:
        """This rank's micro-batches of steps start to stop - 1, one list a step."""
        if self.overfit:
            index, epoch = self.sampler.samples(0, self.batch_size)
            (cuts,) = self._micro_batches([(index, epoch)], augment=False)
            for _ in range(start, stop):
                yield cuts
        elif self._batched["train"]:
            yield from self._training_in_memory(start, stop)
        else:
            yield from self._training_by_workers(start, stop)

    def _training_in_memory(self, start: int, stop: int) -> Iterator[list[Batch]]:
        size = self.batch_size
        while start < stop:
            steps = min(stop - start, self._chunk_steps())
            samples = self.sampler.samples(start * size, (start + steps) * size)
            yield from self._micro_batches(
                zip(*(column.split(size) for column in samples)), augment=True
            )
            start += steps

    def _micro_batches(
        self, steps: Iterable[tuple[Tensor, Tensor]], augment: bool
    ) -> Iterator[list[Batch]]:
        """This rank's micro-batches of steps, each given as numbers and epochs of its samples.

        Samples of other ranks are neither gathered nor augmented.
        """
        cuts = [(self._cut(index), self._cut(epoch)) for index, epoch in steps]
        parts = [index for indices, _ in cuts for index in indices]
        index, epoch = torch.cat(parts), torch.cat([e for _, epochs in cuts for e in epochs])
        batch = self._finish(self._gather("train", index, epoch), index, epoch, augment)
        sizes = [len(part) for part in parts]
        split = {name: column.split(sizes) for name, column in batch.items()}
        micro_batches = iter(self._trimmed(split, k, part) for k, part in enumerate(parts))
        for indices, _ in cuts:
            yield [next(micro_batches) for _ in indices]

    def _trimmed(self, split: dict[str, tuple[Tensor, ...]], k: int, index: Tensor) -> Batch:
        """Micro-batch k of samples `index`, without columns that are padding in all of them."""
        batch = {name: columns[k] for name, columns in split.items()}
        return self.splits["train"].trimmed(batch, index) if self._padded else batch

    def _chunk_steps(self) -> int:
        """Steps gathered at once: fewer calls for tiny samples, bounded memory for large ones."""
        if not hasattr(self, "_sample_bytes"):
            first = self.numbers["train"][:1]
            epoch = torch.zeros_like(first)
            batch = self._finish(self._gather("train", first, epoch), first, epoch, augment=False)
            self._sample_bytes = sum(column.nbytes for column in batch.values())
        return max(1, min(CHUNK_STEPS, CHUNK_BYTES // (self._sample_bytes * self.batch_size)))

    def _training_by_workers(self, start: int, stop: int) -> Iterator[list[Batch]]:
        steps = range(start, stop)
        rows = (cut.tolist() for step in steps for cut in self._cut(self._samples(step)[0]))
        batches = iter(self._torch_loader("train", rows))
        for step in steps:
            cuts = zip(*(self._cut(column) for column in self._samples(step)))
            yield [self._finish(next(batches), i, e, augment=True) for i, e in cuts]

    def _samples(self, step: int) -> tuple[Tensor, Tensor]:
        """Numbers and epochs of one step's samples, over all ranks."""
        return self.sampler.samples(step * self.batch_size, (step + 1) * self.batch_size)

    def _torch_loader(self, split: str, rows: Iterator[list[int]]) -> Any:
        return torch.utils.data.DataLoader(
            self.splits[split],
            batch_sampler=rows,
            num_workers=self.workers,
            generator=torch.Generator(),  # else it draws from the stream that dropout draws from
            pin_memory=self.runtime.device.type == "cuda",
        )

    def _cut(self, column: Tensor) -> list[Tensor]:
        """One step's column cut into this rank's micro-batches."""
        if self.accumulate == 1 and self.runtime.ranks == 1:
            return [column]
        parts = column.tensor_split(self.accumulate * self.runtime.ranks)
        return list(parts[self.runtime.rank :: self.runtime.ranks])

    def _gather(self, split: str, index: Tensor, epoch: Tensor) -> Batch:
        source = self.splits[split]
        if self._batched[split]:
            return source.fetch(index, epoch)
        return torch.utils.data.default_collate([source[i] for i in index.tolist()])

    def _finish(self, batch: Batch, index: Tensor, epoch: Tensor, augment: bool) -> Batch:
        """To the device, stored form to model input, augmented by each sample's own seed."""
        device = self.runtime.device
        batch = {name: column.to(device, non_blocking=True) for name, column in batch.items()}
        batch = self.dataset.encoding.prepare(batch)
        if augment and self.dataset.augment is not None:
            batch = self.dataset.augment_samples(batch, self.seed, epoch, index)
        return batch

    def evaluation(
        self, split: str, size: int | None = None, every: int = 1, whole: bool = False
    ) -> Iterator[Batch]:
        """This rank's part of a split, or with `whole` all of it, in the order of the split, in
        batches of `size` (by default four micro-batches); of each `every` samples, one is taken."""
        if self.overfit:
            split, index = "train", self.sampler.samples(0, self.batch_size)[0]
        else:
            index = self.numbers[split][::every]
        rank_index = index if whole else index.tensor_split(self.runtime.ranks)[self.runtime.rank]
        rows = rank_index.split(size or self.evaluation_size) if len(rank_index) else ()
        if self._batched[split] or self.overfit:
            for index in rows:
                first = torch.zeros_like(index)
                batch = self._gather(split, index, first)
                yield self._finish(batch, index, first, augment=False)
        else:
            for batch in self._torch_loader(split, (index.tolist() for index in rows)):
                none = torch.zeros(0, dtype=torch.int64)
                yield self._finish(batch, none, none, augment=False)

    def smallest_evaluated(self) -> int:
        """Samples in the smallest batch of an evaluation: the rest of a split at its end."""
        sizes = [self.evaluation_size]
        for split in ("val", "test"):
            whole, rest = divmod(self.sizes.get(split, 0), self.runtime.ranks)
            own = whole + (self.runtime.rank < rest)
            sizes += [own % self.evaluation_size] if own % self.evaluation_size else []
        return min(sizes)

    def epochs(self, step: int) -> float:
        """How often the training split, or what is used of it, has been seen after `step` steps."""
        return step / self.steps_per_epoch

    def steps(self, epochs: float) -> int:
        """Steps in this many epochs, rounded up."""
        return max(1, math.ceil(epochs * self.steps_per_epoch - 1e-9))
