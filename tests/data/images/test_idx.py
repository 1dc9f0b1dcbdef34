"""Readers of published formats, on small files of our own; hostile archives."""

import gzip
import hashlib
import io
import tarfile

import pytest
import torch
from contexts import build_dataset

from zoo.data.datasets import cifar10, fashion_mnist, mnist
from zoo.data.download import Remote
from zoo.data.images.idx import load_idx, parse_idx
from zoo.data.splits import Split
from zoo.errors import UserError


def sha(data):
    return hashlib.sha256(data).hexdigest()


def pixels(*shape, seed=0, high=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, shape, generator=generator).byte()


def fake_mnist(idx, folder, plain=False):
    """Four small files in MNIST's form, and what describes them."""
    tensors = [pixels(60, 28, 28), pixels(60, high=10), pixels(20, 28, 28), pixels(20, high=10)]
    names = [file.name for file in mnist.FILES]
    remotes = []
    for tensor, name in zip(tensors, names, strict=True):
        raw = idx(tensor)
        remotes.append(Remote(name, (), len(raw), content_sha256=sha(raw)))
        path = folder / (name.removesuffix(".gz") if plain else name)
        path.write_bytes(raw if plain else gzip.compress(raw))
    return tuple(remotes), tensors


@pytest.mark.parametrize("plain", [False, True])
def test_mnist_files_become_a_dataset(idx, tmp_path, monkeypatch, plain):
    remotes, tensors = fake_mnist(idx, tmp_path, plain)
    monkeypatch.setattr(mnist, "FILES", remotes)
    data = build_dataset({"name": "mnist", "root": str(tmp_path)}, split=Split())
    assert data.facts["input_shape"] == (1, 28, 28) and data.facts["class_names"][9] == "9"
    test = data.splits["test"].columns
    assert torch.equal(test["input"][:, 0], tensors[2])
    assert test["target"].tolist() == tensors[3].tolist()
    assert len(data.splits["train"]) + len(data.splits["val"]) == 60


def test_published_hashes_are_all_different_and_whole():
    files = [*mnist.FILES, *fashion_mnist.FILES, *cifar10.FILES, cifar10.ARCHIVE]
    hashes = [file.content_sha256 or file.sha256 for file in files]
    assert len(set(hashes)) == 15 and all(len(one) == 64 for one in hashes)


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


def test_an_encoding_of_another_shape_or_other_classes_is_refused(idx, tmp_path, monkeypatch):
    remotes, _ = fake_mnist(idx, tmp_path)
    monkeypatch.setattr(mnist, "FILES", remotes)
    monkeypatch.setattr(fashion_mnist, "FILES", remotes)
    root = str(tmp_path)
    digits = build_dataset({"name": "digits", "root": root}, split=Split())
    run = build_dataset({"name": "mnist", "root": root}, split=Split())
    with pytest.raises(UserError, match="images are 1x28x28 .* the run was trained on 1x8x8"):
        json_ = digits.encoding.to_json()
        build_dataset({"name": "mnist", "root": root}, split=Split(), encoding=json_)
    with pytest.raises(UserError) as error:
        json_ = run.encoding.to_json()
        build_dataset({"name": "fashion_mnist", "root": root}, split=Split(), encoding=json_)
    expected = "the data has 10 classes (T-shirt/top, Trouser, Pullover, ...), the run was trained "
    assert expected + "on 10 (0, 1, 2, ...)" in str(error.value)


def fake_cifar(rows=4, bad_label=False):
    """Six small files in CIFAR-10's form, and what describes them."""
    contents = {}
    for i, file in enumerate(cifar10.FILES):
        block = pixels(rows, cifar10.ROW, seed=i)
        block[:, 0] = torch.arange(rows) % 2
        if bad_label:
            block[0, 0] = 10
        contents[file.name] = block.numpy().tobytes()
    remotes = tuple(
        Remote(name, (), len(raw), content_sha256=sha(raw)) for name, raw in contents.items()
    )
    return contents, remotes


def tarball(contents, extra=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, raw in extra:
            tar.addfile(member, io.BytesIO(raw) if raw is not None else None)
        for name, raw in contents.items():
            member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()


def load(tmp_path, raw, remotes):
    (tmp_path / cifar10.ARCHIVE.name).write_bytes(raw)
    archive = Remote(cifar10.ARCHIVE.name, (), sha256=sha(raw))
    return cifar10.load_cifar(archive, remotes, str(tmp_path), "cifar10")


def test_cifar_from_the_archive_and_from_the_folder(tmp_path):
    contents, remotes = fake_cifar()
    images, labels, test = load(tmp_path, tarball(contents), remotes)
    assert images.shape == (24, 3, 32, 32) and test.tolist() == [20, 21, 22, 23]
    first = pixels(4, cifar10.ROW, seed=0)[0]
    assert images[0, 0, 0].tolist() == first[1:33].tolist(), "the red plane's first row"
    assert images[0, 2, 31, 31] == first[-1] and labels.tolist() == [0, 1] * 12
    folder = tmp_path / "other" / cifar10.FOLDER
    folder.mkdir(parents=True)
    for name, raw in contents.items():
        (folder / name).write_bytes(raw)
    for root in (tmp_path / "other", folder):
        again = cifar10.load_cifar(cifar10.ARCHIVE, remotes, str(root), "cifar10")
        assert torch.equal(again[0], images)


def test_cifar_folder_flaws(tmp_path):
    contents, remotes = fake_cifar()
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    for name, raw in contents.items():
        (folder / name).write_bytes(raw)
    (folder / "data_batch_3.bin").write_bytes(contents["data_batch_2.bin"])
    with pytest.raises(UserError, match="data_batch_3.bin is not the published file: SHA-256"):
        cifar10.load_cifar(cifar10.ARCHIVE, remotes, str(tmp_path), "cifar10")
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match="data_batch_3.bin cannot be read: No such file"):
        cifar10.load_cifar(cifar10.ARCHIVE, remotes, str(tmp_path), "cifar10")


def test_labels_out_of_range(tmp_path):
    contents, remotes = fake_cifar(bad_label=True)
    with pytest.raises(UserError, match=r"a label is 10; expected 0..9"):
        load(tmp_path, tarball(contents), remotes)


def hostile():
    link = tarfile.TarInfo(f"{cifar10.FOLDER}/data_batch_1.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo(f"{cifar10.FOLDER}/data_batch_2.bin")
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
    up = tarfile.TarInfo("../escaped")
    up.size = 4
    absolute = tarfile.TarInfo("/tmp/zoo-escaped")
    absolute.size = 4
    device = tarfile.TarInfo(f"{cifar10.FOLDER}/test_batch.bin")
    device.type = tarfile.CHRTYPE
    big = tarfile.TarInfo(f"{cifar10.FOLDER}/data_batch_3.bin")
    big.size = 20_000_000
    return [(link, None), (hard, None), (up, b"evil"), (absolute, b"evil"), (device, None),
            (big, bytes(20_000_000))]  # fmt: skip


def test_a_hostile_archive_gives_its_files_and_nothing_else(tmp_path):
    contents, remotes = fake_cifar()
    before = {p.name for p in tmp_path.parent.iterdir()}
    images, _, _ = load(tmp_path, tarball(contents, hostile()), remotes)
    assert len(images) == 24
    assert [p.name for p in tmp_path.iterdir()] == [cifar10.ARCHIVE.name], "nothing is written"
    assert {p.name for p in tmp_path.parent.iterdir()} == before


def test_links_and_wrong_sizes_are_not_taken_for_files(tmp_path):
    contents, remotes = fake_cifar()
    with pytest.raises(UserError, match=r"data_batch_1.bin, .*test_batch.bin not in it"):
        load(tmp_path, tarball({}, hostile()), remotes)
    contents["data_batch_4.bin"] = contents["data_batch_5.bin"]
    with pytest.raises(UserError, match="SHA-256 .* delete it"):
        load(tmp_path, tarball(contents), remotes)
    with pytest.raises(UserError, match="delete it"):
        load(tmp_path, tarball(contents)[:-4000], remotes)
