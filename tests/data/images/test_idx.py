"""Readers of published formats, on small files of our own; hostile archives."""

import pytest
import torch
from sample_images import fake_mnist, pixels

from zoo.data.images.idx import load_idx, parse_idx
from zoo.errors import UserError


def test_images_and_labels_must_be_as_many(idx, tmp_path):
    remotes, _ = fake_mnist(idx, tmp_path)
    with pytest.raises(UserError, match="80 images but 40 labels"):
        load_idx((remotes[0], remotes[3], remotes[2], remotes[3]), str(tmp_path), "mnist")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda raw: b"\x1f\x8b" + raw[2:], "not an IDX file"),
        (lambda raw: raw[:2] + b"\x0d" + raw[3:], "not an IDX file"),
        (lambda raw: raw[:10], "truncated in its header"),
        (lambda raw: raw[:-1], r"23 bytes after the header, expected 2x3x4"),
        (lambda raw: raw + b"x", r"25 bytes after the header, expected 2x3x4"),
        (lambda raw: b"", "not an IDX file"),
    ],
)
def test_idx_flaws_are_named(idx, damage, reason):
    raw = idx(pixels(2, 3, 4))
    assert torch.equal(parse_idx(raw, "x"), pixels(2, 3, 4))
    with pytest.raises(UserError, match=reason):
        parse_idx(damage(raw), "x")
