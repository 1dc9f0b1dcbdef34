"""CIFAR-10: from the archive or its files, verified; hostile archives."""

import io
import tarfile

import pytest
import torch
from sample_images import pixels, sha

from zoo.data.datasets import cifar10
from zoo.data.download import Remote
from zoo.errors import UserError


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
