"""`data.label_noise`: a stated fraction of the training labels, and of no others, is wrong."""

import pytest
import torch
from contexts import build_dataset
from sample_images import build, photos

from zoo.data.label_noise import with_noise
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

LABELS = torch.arange(4000) % 4
TRAIN = torch.arange(0, 4000, 2)


def wrong(fraction, seed=0, train=TRAIN):
    return with_noise(LABELS, train, fraction, 4, seed) != LABELS[train]


def test_the_fraction_is_exact_and_a_smaller_one_lies_in_a_larger_one():
    small, large = wrong(0.1), wrong(0.3)
    assert (small.sum(), large.sum()) == (200, 600)
    assert not (small & ~large).any()
    assert not torch.equal(small, wrong(0.1, seed=1)) and torch.equal(small, wrong(0.1))


def test_each_other_class_is_equally_likely_and_no_label_is_replaced_by_itself():
    noisy, before = with_noise(LABELS, TRAIN, 0.9, 4, 0), LABELS[TRAIN]
    counts = torch.bincount((noisy - before) % 4, minlength=4)
    assert counts[0] == 200 and counts[1:].min() > 500


def test_only_the_training_split_is_changed_and_its_facts_follow(data_root):
    clean, noisy = (
        build_dataset({"name": "digits"}, root=str(data_root), label_noise=fraction)
        for fraction in (0.0, 0.25)
    )
    for split in ("val", "test"):
        before, after = (d.splits[split].columns["target"] for d in (clean, noisy))
        assert torch.equal(before, after)
    before, after = (d.splits["train"].columns["target"] for d in (clean, noisy))
    assert (before != after).sum() == round(0.25 * len(before))
    assert noisy.facts["class_counts"] == torch.bincount(after).tolist()
    assert noisy.sha256 == clean.sha256
    again = build_dataset(
        {"name": "digits"},
        root=str(data_root),
        label_noise=0.25,
        encoding=noisy.encoding.to_json(),
        resumes=True,
    )
    assert torch.equal(again.splits["train"].columns["target"], after)


@pytest.mark.parametrize("cache_gb", [2.0, 0.0])
def test_files_too(tmp_path, cache_gb):
    path, options = photos(tmp_path / "photos"), {"root": str(tmp_path), "cache_gb": cache_gb}
    clean, noisy = (build(path, Split(), label_noise=f, **options) for f in (0.0, 0.5))
    for split, number in (("train", round(0.5 * len(clean.splits["train"]))), ("test", 0)):
        targets = [
            torch.stack([d.splits[split][i]["target"] for i in range(len(d.splits[split]))])
            for d in (clean, noisy)
        ]
        assert (targets[0] != targets[1]).sum() == number
        if split == "train":
            assert noisy.facts["class_counts"] == torch.bincount(targets[1]).tolist()


def test_texts_too(tmp_path):
    file, byte = tmp_path / "mails.csv", TokenizerConfig(tokenizer="byte", vocab_size=None)
    rows = [f"mail number {i},{'spam' if i % 3 else 'ham'}" for i in range(60)]
    file.write_text("\n".join(["text,label", *rows]))
    options = {"name": "text_csv", "path": str(file), "block_size": 16}
    options |= {"text": "text", "target": "label"}
    shared = {"split": Split(train_size="10/class"), "tokenizer": byte}
    clean, noisy = (build_dataset(dict(options), label_noise=f, **shared) for f in (0.0, 0.4))
    for split, number in (("train", 8), ("test", 0)):
        targets = [d.splits[split].target for d in (clean, noisy)]
        assert (targets[0] != targets[1]).sum() == number
    assert clean.facts["class_counts"] == [10, 10]
    assert noisy.facts["class_counts"] == torch.bincount(noisy.splits["train"].target).tolist()


def test_numbers_have_no_other_class(data_root):
    with pytest.raises(UserError, match=r"data.label_noise=0.1: a sample of this data has not one"):
        build_dataset({"name": "diabetes"}, root=str(data_root), label_noise=0.1)
