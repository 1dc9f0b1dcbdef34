"""What a file is that holds no weights that can be read, by its first bytes or its name."""

import re
import zipfile
from pathlib import Path

START = 512  # bytes that show what a file is
CLEAN_COPY = "take the safetensors or pytorch_model.bin of the same model"
MAGIC = (  # first bytes, what they begin, and the remedy
    (b"GGUF", "GGUF, the format of llama.cpp", CLEAN_COPY),
    (b"ggjt", "GGML, the old format of llama.cpp", CLEAN_COPY),
    (b"lmgg", "GGML, the old format of llama.cpp", CLEAN_COPY),
    (b"\x89HDF", "HDF5, the format of Keras and TensorFlow", CLEAN_COPY),
    (b"\x93NUMPY", "an array of NumPy", CLEAN_COPY),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first"),
)  # fmt: skip
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")
ENDINGS = (  # of a name, where the first bytes do not tell it
    (".msgpack", "the format of Flax (JAX)", CLEAN_COPY),
    (".onnx", "an ONNX graph", CLEAN_COPY),
    (".ckpt.index", "a checkpoint of TensorFlow", CLEAN_COPY),
    (".ckpt.meta", "a checkpoint of TensorFlow", CLEAN_COPY),
    (".data-00000-of-00001", "a checkpoint of TensorFlow", CLEAN_COPY),
    (".distcp", "a part of PyTorch's distributed checkpoint",
     "convert its folder: python -m torch.distributed.checkpoint.format_utils dcp_to_torch"),
    (".pb", "a graph of TensorFlow", CLEAN_COPY),
    (".tflite", "a graph of TensorFlow Lite", CLEAN_COPY),
    (".mlmodel", "a model of Core ML", CLEAN_COPY),
    (".engine", "an engine of TensorRT", CLEAN_COPY),
    (".pdparams", "the format of PaddlePaddle", CLEAN_COPY),
    (".incomplete", "an unfinished download", "download it again"),
    (".part", "an unfinished download", "download it again"),
    (".crdownload", "an unfinished download", "download it again"),
)  # fmt: skip
MEMBERS = (  # of a zip archive
    (r"(.*/)?constants\.pkl", "a TorchScript program", "take the state_dict of the same model"),
    (r"(.*/)?(archive_format|serialized_exported_program\.json|models/.*\.json)",
     "a program of torch.export", "take the state_dict of the same model"),
    (r"model\.weights\.h5", "a model of Keras", CLEAN_COPY),
    (r".*\.npy", "arrays of NumPy", CLEAN_COPY),
    (r"(?!.*data\.pkl$).*\.(bin|safetensors|pth?|json|ckpt)", "a zip archive", "unpack it first"),
)  # fmt: skip


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START)


def is_safetensors(path: Path) -> bool:
    """By its first bytes: the length of a header of JSON, and its brace."""
    head = _head(path)
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**40


def describe_placeholder(path: Path) -> str | None:
    """What a file is that stands in place of the one wanted, None for another.

    Raises:
        OSError: It cannot be read.
    """
    head = _head(path)
    if not head:
        return "is empty (0 bytes); download it again"
    if head.startswith(b"version https://git-lfs.github.com"):
        return "is a Git LFS pointer, not the file itself; run 'git lfs pull' in its folder"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
        return (
            "is a web page that was saved in place of the file; download the file itself (from "
            "the Hub: /resolve/ in its address, not /blob/)"
        )
    return None


def describe_foreign(path: Path) -> str | None:
    """What a file is and what to do, None where it may hold tensors.

    Raises:
        OSError: It cannot be read.
    """
    if placeholder := describe_placeholder(path):
        return placeholder
    head = _head(path)
    for magic, what, remedy in MAGIC:
        if head.startswith(magic):
            return f"is {what}; {remedy}"
    for ending, what, remedy in ENDINGS:
        if path.name.lower().endswith(ending):
            return f"is {what}; {remedy}"
    if zipfile.is_zipfile(path):
        return _describe_zip(path)
    if head.startswith(b"PK\x03\x04"):
        return "is damaged: its end is missing (an unfinished download?); download it again"
    if path.suffix == ".json" or _is_text(head):
        start = " ".join(head.decode(errors="replace").split())[:60]
        return f"is text, no weights ('{start}'); name the folder or file of the weights"
    return None


def _describe_zip(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for pattern, what, remedy in MEMBERS:
        if any(re.fullmatch(pattern, name) for name in names):
            return f"is {what}; {remedy}"
    return None


def _is_text(head: bytes) -> bool:
    """Printable as a whole: no pickle and no tensor is."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text)


def is_lightning(path: Path) -> bool:
    """Whether a file of torch.save is a checkpoint of PyTorch Lightning, read as bytes only."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
        return any(b"pytorch-lightning_version" in archive.read(name) for name in pickles)


def conversion(path: Path) -> str:
    """The command that writes a pickle's tensors as safetensors; it runs the pickle's code."""
    program = (
        f"import torch, safetensors.torch as s; "
        f"c = torch.load({str(path)!r}, 'cpu', weights_only=False); "
        f"c = c.state_dict() if hasattr(c, 'state_dict') else c.get('state_dict', c); "
        f"s.save_file({{k: v.contiguous().clone() for k, v in c.items() if torch.is_tensor(v)}}, "
        f"{str(path.with_suffix('.safetensors'))!r})"
    )
    return 'python -c "' + re.sub(r'(["\\$`])', r"\\\1", program) + '"'
