"""CIFAR-10: 60,000 colour photographs, 32x32, ten classes; 50,000 to train, 10,000 to test.

Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html; the binary version, so that nothing
has to be unpickled.
"""

import io
import tarfile
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote, WrongContent, fetch
from zoo.data.images.dataset import image_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

FOLDER = "cifar-10-batches-bin"
ROW = 1 + 3 * 32 * 32  # a label byte, then the red, green and blue planes
ARCHIVE = Remote(
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/",),
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
FILES = tuple(Remote(name, (), 10_000 * ROW, content_sha256=sha) for name, sha in _SHA256.items())
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@DATASETS.register("cifar10", uses=("root", "augment", "labels"), needs="download", tiny={})
def cifar10(context: DataContext) -> Dataset:
    """Ten classes, images (3, 32, 32), official test split."""
    images, labels, test = load_cifar(ARCHIVE, FILES, context.root, "cifar10")
    return image_dataset(images, labels, CLASSES, context, fixed_test=test)


def load_cifar(
    archive: Remote, files: tuple[Remote, ...], root: str, name: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and the official test split, from the unpacked files or from the archive.

    Args:
        archive: The tar.gz, looked for and downloaded when there is no folder.
        files: Its content; the last one is the test split.
        root: Folder of either; so are its subfolders `name` and `cifar-10-batches-bin`.
        name: The dataset.

    Returns:
        Uint8 (N, 3, 32, 32), int64 (N,), and the indices of the test images, int64.
    """
    base = Path(root)
    folders = [base / name / FOLDER, base / FOLDER, base / name, base]
    unpacked = next((folder for folder in folders if (folder / files[0].name).is_file()), None)
    if unpacked is not None:
        contents = [_from_folder(unpacked, file) for file in files]
    else:
        contents = _from_archive(fetch(archive, root, name), files, archive.name)
    rows = torch.cat([torch.frombuffer(bytearray(c), dtype=torch.uint8) for c in contents])
    rows = rows.view(-1, ROW)
    images, labels = rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long()
    if int(labels.max()) >= len(CLASSES):
        raise UserError(f"{name}: a label is {int(labels.max())}; expected 0..{len(CLASSES) - 1}")
    num_test = len(contents[-1]) // ROW
    return images, labels, torch.arange(len(labels) - num_test, len(labels))


def _from_folder(folder: Path, file: Remote) -> bytes:
    path = folder / file.name
    fix = f"delete {folder} (the archive is then used, or downloaded) or set data.root"
    try:
        return file.check(path.read_bytes(), packed=False)
    except WrongContent as error:
        raise UserError(f"{path} is not the published file: {error}; {fix}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; {fix}") from error


def _from_archive(raw: bytes, files: tuple[Remote, ...], name: str) -> list[bytes]:
    """The content of these files, in this order; nothing else is read, and nothing is written."""
    members = {f"{FOLDER}/{file.name}": file for file in files}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
            for member in tar:
                file = members.get(member.name)
                if file is None or not member.isreg() or member.size != file.size:
                    continue
                stream = tar.extractfile(member)
                assert stream is not None, "a regular file has content"
                contents[file.name] = file.check(stream.read(), packed=False)
    except (tarfile.TarError, OSError, EOFError, WrongContent) as error:
        raise UserError(f"{name}: {error}; delete it to download it again") from error
    missing = [file.name for file in files if file.name not in contents]
    if missing:
        raise UserError(f"{name}: {', '.join(missing)} not in it; delete it to download it again")
    return [contents[file.name] for file in files]
