"""Batch order is a pure function of (seed, position), however the work is cut."""

from itertools import islice

import numpy as np
import pytest
import torch
from contexts import build_dataset
from toys import CPU, HERE, Plain, Slow, numbered

from zoo.batch import spread
from zoo.data.dataset import Dataset
from zoo.data.images.augment import Augment
from zoo.data.text.labelled import LabelledTextSource
from zoo.data.text.preferences import PreferenceSource
from zoo.data.text.ragged import Ragged
from zoo.data.text.scored import ScoredSource
from zoo.data.text.tagged import TaggedSource
from zoo.errors import UserError
from zoo.training.loader import Loader, ShuffledSampler
from zoo.training.runtime import Runtime, rng_state


def order_of(loader, start, stop):
    """Sample numbers of each step, micro-batches put together."""
    steps = loader.training(start, stop)
    return [torch.cat([part["target"] for part in parts]).tolist() for parts in steps]


@pytest.mark.parametrize(("size", "batch"), [(10, 3), (7, 7), (5, 8), (10, 5), (1, 4)])
def test_every_sample_exactly_once_an_epoch(size, batch):
    steps = 3 * size
    stream = sum(order_of(Loader(numbered(size), batch, 0, HERE), 0, steps), [])
    epochs = [stream[k : k + size] for k in range(0, len(stream), size)]
    assert len(epochs) == 3 * batch
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
    if size > 4:
        assert len({tuple(epoch) for epoch in epochs}) > len(epochs) // 2  # reshuffled


def test_batches_are_full_and_straddle_epochs():
    steps = order_of(Loader(numbered(10), 3, 0, HERE), 0, 7)
    assert [len(step) for step in steps] == [3] * 7
    assert sorted(sum(steps, [])[:10]) == list(range(10))
    assert len(set(steps[3][:1]) | set(sum(steps[:3], []))) == 10  # step 3: one of the first epoch


@pytest.mark.parametrize("wrap", [lambda s: s, Slow], ids=["in memory", "by workers"])
@pytest.mark.parametrize("start", [0, 1, 3, 17, 70])
def test_resuming_gives_the_tail_of_the_stream(wrap, start):
    whole = order_of(Loader(numbered(10, wrap=wrap), 3, 5, HERE), 0, 80)
    assert order_of(Loader(numbered(10, wrap=wrap), 3, 5, HERE), start, 80) == whole[start:]


def test_the_order_is_the_seeds_alone():
    one, other = (order_of(Loader(numbered(50), 8, seed, HERE), 0, 6) for seed in (1, 2))
    assert one != other
    torch.manual_seed(99)
    assert order_of(Loader(numbered(50), 8, 1, HERE), 0, 6) == one


def test_reading_a_position_costs_the_same_everywhere():
    order = ShuffledSampler(1000, 0)
    late, epochs = order.samples(10**9, 10**9 + 5)
    assert len(late) == 5 and epochs.tolist() == [10**6] * 5
    assert len(order._epochs) <= 2  # no epoch before it was drawn


@pytest.mark.parametrize("wrap", [lambda s: s, Slow], ids=["in memory", "by workers"])
@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 2)])
def test_ranks_and_micro_batches_only_cut_the_batch(wrap, ranks, accumulate):
    whole = order_of(Loader(numbered(20, wrap=wrap), 7, 0, HERE), 0, 9)
    parts = [
        list(
            Loader(numbered(20, wrap=wrap), 7, 0, Runtime(CPU, r, ranks), accumulate).training(0, 9)
        )
        for r in range(ranks)
    ]
    for step, expected in enumerate(whole):
        cut = [part["target"].tolist() for rank in parts for part in rank[step]]
        assert len(cut) == ranks * accumulate and min(map(len, cut)) >= 1
        assert max(map(len, cut)) - min(map(len, cut)) <= 1
        assert sorted(sum(cut, [])) == sorted(expected)


def test_a_rank_gathers_its_own_samples_alone():
    fetched = []
    for rank in range(2):
        data = numbered(20)
        fetch = data.splits["train"].fetch
        data.splits["train"].fetch = lambda index, epoch, fetch=fetch: (
            fetched.append(len(index)),
            fetch(index, epoch),
        )[1]
        [*Loader(data, 8, 0, Runtime(CPU, rank, 2)).training(0, 3)]
    assert fetched == [1, 12, 1, 12]  # of 24; the first tells the size of a sample


def test_padding_that_no_sample_of_a_micro_batch_needs_is_cut_off():
    """And is known without a look at the samples, which may be on a GPU."""
    data = build_dataset({"name": "numbers", "size": 200})
    for parts in Loader(data, 8, 0, HERE, accumulate=2).training(0, 6):
        for part in parts:
            assert all((column != 0).any(0)[-1] for column in part.values())


def shifted(batch, seeds):
    """An augmentation that shows each sample's seed."""
    return {**batch, "input": seeds[:, None].double()}


@pytest.mark.parametrize("wrap", [lambda s: s, Slow], ids=["in memory", "by workers"])
@pytest.mark.parametrize(("ranks", "accumulate", "workers"), [(1, 1, 0), (1, 3, 2), (2, 2, 0)])
def test_augmentation_does_not_see_the_layout(wrap, ranks, accumulate, workers):
    def pairs(wrap, ranks, accumulate, workers):
        seen = []
        for rank in range(ranks):
            data = numbered(12, wrap=wrap, augment=shifted)
            loader = Loader(data, 6, 3, Runtime(CPU, rank, ranks), accumulate, workers)
            for step, parts in enumerate(loader.training(0, 5)):
                for p in parts:
                    seen += zip([step] * 9, p["target"].tolist(), p["input"][:, 0].tolist())
        return sorted(seen)

    plain = pairs(lambda s: s, 1, 1, 0)
    assert pairs(wrap, ranks, accumulate, workers) == plain
    assert len({seed for _, _, seed in plain}) == len(plain)  # another seed in each epoch


def test_augmentation_is_for_training_alone():
    loader = Loader(numbered(12, augment=shifted), 6, 3, HERE)
    assert all(b["input"].dtype == torch.float32 for b in loader.evaluation("val"))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_what_memory_gives(workers):
    memory = list(Loader(numbered(11), 4, 0, HERE).training(2, 9))
    by_workers = list(Loader(numbered(11, wrap=Slow), 4, 0, HERE, workers=workers).training(2, 9))
    for a, b in zip(memory, by_workers, strict=True):
        assert torch.equal(a[0]["input"], b[0]["input"])
        assert torch.equal(a[0]["target"], b[0]["target"])


@pytest.mark.parametrize("workers", [0, 1])
def test_no_loader_touches_the_random_numbers(workers):
    """Or a resumed run, which restarts the workers, would draw other dropout masks."""
    loader = Loader(numbered(11, wrap=Slow), 4, 0, HERE, workers=workers)
    before = rng_state(CPU)
    next(loader.training(0, 5))
    list(loader.evaluation("val"))
    after = rng_state(CPU)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("wrap", [lambda s: s, Slow], ids=["in memory", "by workers"])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_evaluation_sees_each_sample_once_in_order(wrap, ranks):
    seen = []
    for rank in range(ranks):
        loader = Loader(numbered(5, val=11, wrap=wrap), 3, 0, Runtime(CPU, rank, ranks))
        seen += [n for batch in loader.evaluation("val", 3) for n in batch["target"].tolist()]
    assert seen == list(range(11))


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "ranks", "evaluated"),
    [(8, 1, 1, 32), (8, 4, 1, 8), (9, 4, 1, 12), (8, 2, 2, 8), (8, 1, 8, 4)],
)
def test_evaluation_takes_four_micro_batches_at_once(batch_size, accumulate, ranks, evaluated):
    """Whatever fits into memory in training, fits without gradients."""
    data = numbered(20, val=100 * ranks + 1, test=100 * ranks)
    loader = Loader(data, batch_size, 0, Runtime(CPU, 0, ranks), accumulate)
    sizes = [len(batch["target"]) for batch in loader.evaluation("val")]
    assert max(sizes) == loader.evaluation_size == evaluated
    rests = [len(list(loader.evaluation(split))[-1]["target"]) for split in ("val", "test")]
    assert loader.smallest_evaluated() == min(rests)


def test_a_rank_without_samples_evaluates_nothing():
    assert list(Loader(numbered(9, val=2), 4, 0, Runtime(CPU, 3, 4)).evaluation("val")) == []


def test_overfit_serves_the_first_batch_for_ever():
    loader = Loader(numbered(20, augment=shifted), 4, 0, HERE, overfit=True)
    first = next(Loader(numbered(20), 4, 0, HERE).training(0, 1))[0]["target"].tolist()
    for parts in loader.training(3, 6):
        assert parts[0]["target"].tolist() == first
        assert parts[0]["input"][:, 0].tolist() == first  # not augmented
    for split in ("val", "test"):
        assert [b["target"].tolist() for b in loader.evaluation(split)] == [first]


def test_overfit_cuts_the_batch_too():
    loader = Loader(numbered(20), 5, 0, HERE, accumulate=2, overfit=True)
    assert [len(part["target"]) for part in next(loader.training(0, 1))] == [3, 2]


def test_a_batch_too_small_to_cut():
    with pytest.raises(UserError, match="raise it to 6 or more"):
        Loader(numbered(), 5, 0, Runtime(CPU, 0, 3), accumulate=2)
    Loader(numbered(), 6, 0, Runtime(CPU, 0, 3), accumulate=2)


def test_epochs_and_steps():
    loader = Loader(numbered(10), 4, 0, HERE)
    assert loader.steps(1) == 3 and loader.steps(2) == 5 and loader.steps(0.01) == 1
    assert loader.epochs(5) == 2.0 and loader.steps(loader.epochs(7)) == 7


def test_large_samples_are_gathered_in_small_chunks(monkeypatch):
    monkeypatch.setattr("zoo.training.loader.CHUNK_BYTES", 1)
    small = Loader(numbered(10), 3, 0, HERE)
    assert small._chunk_steps() == 1
    monkeypatch.undo()
    assert order_of(small, 0, 9) == order_of(Loader(numbered(10), 3, 0, HERE), 0, 9)


def test_augmented_digits_are_the_same_in_any_batch(data_root):
    """The real augmentation: one sample's pixels depend on seed, epoch and number alone."""
    augment = Augment(shift=1, cutout=2, flip=True)
    data = build_dataset({"name": "digits", "root": str(data_root)}, augment=augment)
    whole = next(Loader(data, 30, 0, HERE).training(0, 1))[0]["input"]
    parts = next(Loader(data, 30, 0, HERE, accumulate=4).training(0, 1))
    assert torch.equal(torch.cat([part["input"] for part in parts]), whole)
    later = list(islice(Loader(data, 30, 0, HERE).training(0, 200), 60, 80))
    assert not any(torch.equal(batch[0]["input"], whole) for batch in later)


def unequal(size, seed=0):
    """Samples with lengths of 1 to 50."""
    data = numbered(size)
    generator = torch.Generator().manual_seed(seed)
    data.splits["train"].bucket_key = torch.randint(1, 51, (size,), generator=generator)
    return data, data.splits["train"].bucket_key


@pytest.mark.parametrize(("size", "batch"), [(500, 8), (100, 32), (64, 16), (5, 8), (33, 32)])
def test_batches_of_samples_alike_are_still_a_pure_stream(size, batch):
    data, _ = unequal(size)
    whole = order_of(Loader(data, batch, 3, HERE), 0, 3 * size)
    assert all(len(step) == batch for step in whole)
    stream = sum(whole, [])
    epochs = [stream[k : k + size] for k in range(0, len(stream), size)]
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
    assert order_of(Loader(data, batch, 3, HERE), 2 * size, 3 * size) == whole[2 * size :]
    parts = [list(Loader(data, batch, 3, Runtime(CPU, r, 2)).training(0, 9)) for r in (0, 1)]
    for step in range(9):
        cut = sum((rank[step][0]["target"].tolist() for rank in parts), [])
        assert cut == whole[step]


def test_batches_hold_samples_alike_in_an_order_of_chance():
    data, lengths = unequal(1003)
    steps = order_of(Loader(data, 8, 0, HERE), 0, 500)
    means = torch.tensor([lengths[step].double().mean() for step in steps[:100]])
    assert 0.3 < (means.diff() >= 0).double().mean() < 0.7  # short and long by turns
    assert steps[:125] != steps[125:250]
    within = [k for k in range(500) if k * 8 // 1003 == (k * 8 + 7) // 1003]
    assert len(within) == 497  # the others are the end of one epoch and the beginning of the next
    assert max(int(lengths[steps[k]].max() - lengths[steps[k]].min()) for k in within) <= 6


LENGTHS = [3 + k * k % 61 for k in range(400)]


def scored_rows(seed):
    """Rows of ids, whose later half is scored."""
    order = torch.randperm(400, generator=torch.Generator().manual_seed(seed)).tolist()
    return [(np.ones(LENGTHS[k], np.int32), np.arange(LENGTHS[k]) > LENGTHS[k] // 2) for k in order]


def short_and_long(kind):
    """A split of texts of unequal length."""
    rows = scored_rows(0)
    if kind == "packed":
        return ScoredSource.packed(rows, 0, 64)
    texts = Ragged.of([ids for ids, _ in rows], torch.int16)
    if kind == "labelled":
        return LabelledTextSource(texts, torch.arange(400), 0)
    if kind == "tagged":
        return TaggedSource(texts, texts, 0)
    source = ScoredSource.of(rows, 0)
    other = ScoredSource.of(scored_rows(1), 0)
    return source if kind == "scored" else PreferenceSource(source, other)


@pytest.mark.parametrize("kind", ["scored", "packed", "preferences", "labelled", "tagged"])
def test_a_batch_of_texts_is_padded_to_its_own_longest(kind):
    source = short_and_long(kind)
    data = Dataset({}, dict.fromkeys(("train", "val", "test"), source), Plain(), "0")
    loader, widths = Loader(data, 8, 0, HERE, accumulate=2), []
    for step, parts in enumerate(loader.training(0, 40)):
        numbers = loader.sampler.samples(8 * step, 8 * step + 8)[0].tensor_split(2)
        for batch, index in zip(parts, numbers, strict=True):
            for name, own in source.fetch(index).items():
                width, more = own.shape[-1], batch[name].shape[-1] - own.shape[-1]
                assert 0 <= more < 8 and batch[name][..., :width].equal(own)
                assert not batch[name][..., width:].clamp(min=0).any()
            widths.append(batch["input"].shape[-1])
            if "scored" in batch:
                assert batch["scored"].shape[-1] == widths[-1] - 1
    assert max(widths) > 56 and (kind == "packed" or min(widths) < 20)


class Counting:
    """The samples of a source; notes the numbers of those that are asked for."""

    def __init__(self, source, one_by_one=False):
        self.source, self.seen, self.nbytes = source, set(), 0
        if not one_by_one:
            self.fetch, self.to = self._fetch, lambda device: self

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        self.seen.add(index)
        return self.source[index]

    def _fetch(self, index, epoch):
        self.seen.update(index.tolist())
        return self.source.fetch(index, epoch)


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in memory", "one by one"])
def test_max_samples_touches_so_many_of_each_split(one_by_one):
    data = numbered(1000, 300, 5, wrap=lambda source: Counting(source, one_by_one))
    loader = Loader(data, 6, 0, HERE, max_samples=16)
    stream = sum(order_of(loader, 0, 16), [])  # six epochs of the samples used
    assert all(sorted(stream[k : k + 16]) == spread(1000, 16).tolist() for k in range(0, 96, 16))
    assert order_of(Loader(data, 6, 0, HERE, max_samples=16), 9, 16) == [
        stream[k : k + 6] for k in range(54, 96, 6)
    ]
    val = torch.cat([batch["target"] for batch in loader.evaluation("val")])
    assert val.tolist() == spread(300, 16).tolist()
    assert len(list(loader.evaluation("test", 1))) == 5
    assert {name: len(split.seen) for name, split in data.splits.items()} == loader.sizes
    assert loader.sizes == {"train": 16, "val": 16, "test": 5}
    assert loader.steps_per_epoch == 16 / 6 and loader.smallest_evaluated() == 5


def test_max_samples_still_puts_samples_alike_together():
    data, lengths = unequal(1000)
    steps = order_of(Loader(data, 8, 0, HERE, max_samples=64), 0, 8)
    assert sorted(sum(steps, [])) == spread(1000, 64).tolist()
    ranges = [(int(lengths[step].min()), int(lengths[step].max())) for step in steps]
    assert all(b[0] >= a[1] for a, b in zip(sorted(ranges), sorted(ranges)[1:], strict=False))


def test_more_than_there_are_changes_nothing():
    few, all_ = (Loader(numbered(50), 8, 1, HERE, max_samples=most) for most in (50, None))
    assert order_of(few, 0, 20) == order_of(all_, 0, 20)


def test_samples_spread_over_a_split_are_not_all_of_the_class_whose_turn_it_is():
    numbers = spread(640, 64)
    assert numbers.tolist() == sorted(set(numbers.tolist())) and len(numbers) == 64
    assert (numbers // 10).tolist() == list(range(64))
    assert len(set((numbers % 10).tolist())) > 5
