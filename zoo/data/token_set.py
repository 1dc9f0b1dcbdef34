"""From documents to a `Dataset` of token windows: what every running text has in common.

Text is tokenised once, document by document, into one array of ids per split on the disk, which is
memory-mapped: a text larger than memory trains as well. The arrays are kept under the data's root,
by the content's SHA-256 and the tokenizer's settings.
Shapes: B windows, T block size, L tokens of a split.
"""

import contextlib
import hashlib
import json
import mmap
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.data.base import Batch, Dataset
from zoo.data.progress import Progress
from zoo.data.text_encoding import TextEncoding, TextForm, encoding_for_text
from zoo.data.tokenizer import EOT, Tokenizer, load_tokenizer
from zoo.errors import UserError

VERSION = 1  # of the cached form
IN_MEMORY = 256 * 2**20  # bytes of tokens; larger arrays stay on the disk
GOLDEN = 0.6180339887498949  # shifts of successive epochs spread evenly


@dataclass(frozen=True)
class Document:
    """One file or article.

    Attributes:
        name: For messages.
        size: UTF-8 bytes.
        pieces: Gives its text, in parts of any length, each time it is called.
    """

    name: str
    size: int
    pieces: Callable[[], Iterator[str]]

    @classmethod
    def of(cls, name: str, text: str) -> "Document":
        """A text held in memory."""
        return cls(name, len(text.encode("utf-8", "surrogatepass")), lambda: iter([text]))


Documents = Mapping[str, Sequence[Document]]  # by split


class TokenSource:
    """Windows of block_size + 1 tokens that tile a split; each epoch tiles it a little shifted.

    Args:
        tokens: Unsigned (L,), in memory or mapped from a file.
        block_size: T. A sample has T + 1 tokens: T to read, each one's next to predict.
    """

    def __init__(self, tokens: Any, block_size: int) -> None:
        self.tokens, self.block_size = tokens, block_size
        self.nbytes = tokens.nbytes
        self._mapped = isinstance(tokens, np.memmap)

    def __len__(self) -> int:
        return max(0, (len(self.tokens) - 1) // self.block_size)

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """Windows number `index` (int64 (B,)) of the tiling of `epoch`: `input` (B, T + 1).

        Epoch 0 tiles from the first token on.
        """
        shift = (epoch.double() * GOLDEN % 1 * self.block_size).long()
        last = len(self.tokens) - self.block_size - 1
        starts = (index * self.block_size + shift).clamp(max=last)  # (B,)
        positions = starts[:, None] + torch.arange(self.block_size + 1)  # (B, T + 1)
        if isinstance(self.tokens, Tensor):
            return {"input": self.tokens[positions.to(self.tokens.device)]}
        found = self.tokens[positions.numpy()].astype(np.int32)
        if self._mapped:  # what was read stays in the system's cache, not in this process
            self.tokens._mmap.madvise(mmap.MADV_DONTNEED)
        return {"input": torch.from_numpy(found)}

    def to(self, device: torch.device) -> "TokenSource":
        """The same windows on another device."""
        ids = torch.from_numpy(np.asarray(self.tokens).astype(np.int32))
        return TokenSource(ids.to(device), self.block_size)


def token_dataset(
    name: str,
    documents: Documents,
    form: TextForm,
    block_size: int,
    root: str,
    encoding: dict[str, Any] | None = None,
    everything: Sequence[Document] = (),
) -> Dataset:
    """A dataset of token windows.

    Args:
        name: Of the dataset, for messages and the cache's folder.
        documents: Those of "train", "val" and "test".
        form: Which tokenizer.
        block_size: Tokens in a window, T.
        root: The cache is `<root>/tokens`.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        everything: With `encoding`, the documents of the split "all".

    Raises:
        UserError: A split shorter than one window; a tokenizer other than the run's.
    """
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    fitted = encoding_for_text(encoding)
    several = any(len(found) > 1 for found in documents.values())
    if fitted is not None:
        _check_same(fitted.tokenizer, form)
        documents = {**documents, "all": everything} if everything else documents
    sha256 = digest(documents)
    cache = TokenCache(Path(root) / "tokens", name, sha256)
    tokenizer = fitted.tokenizer if fitted else cache.tokenizer(form, documents, several)
    block_size = fitted.length if fitted else block_size
    arrays = cache.arrays(tokenizer, documents)
    if fitted is None:
        _check_lengths(arrays, block_size, name)
    fitted = fitted or TextEncoding(tokenizer, block_size)
    return Dataset(
        facts=fitted.facts() | token_counts(tokenizer, arrays["train"]),
        splits={split: TokenSource(tokens, block_size) for split, tokens in arrays.items()},
        encoding=fitted,
        sha256=sha256,
        notes=[_spell(documents, arrays, tokenizer)],
    )


def digest(documents: Documents) -> str:
    """SHA-256 over names of splits and texts of documents, in order."""
    total = hashlib.sha256()
    for split, found in documents.items():
        total.update(f"{split} {len(found)}\n".encode())
        for document in found:
            one = hashlib.sha256()
            for piece in document.pieces():
                one.update(piece.encode("utf-8", "surrogatepass"))
            total.update(one.digest())
    return total.hexdigest()


def token_counts(tokenizer: Tokenizer, tokens: np.ndarray) -> dict[str, list[int]]:
    """How often each word occurs in the training split; only word tokenizers state it."""
    if tokenizer.kind != "word":
        return {}
    return {"token_counts": np.bincount(tokens, minlength=tokenizer.vocab_size).tolist()}


class TokenCache:
    """Tokenizers and token arrays of one content, kept on the disk.

    A folder appears whole or not at all. Where nothing can be written, a temporary folder serves.
    """

    def __init__(self, folder: Path, name: str, sha256: str) -> None:
        self.folder, self.name, self.sha256 = folder, name, sha256

    def tokenizer(self, form: TextForm, documents: Documents, several: bool) -> Tokenizer:
        """The tokenizer of a form, fitted on the training split (characters: on all of it)."""
        key = f"{VERSION} {self.sha256} {sorted(asdict(form).items())} {several}"
        path = self.folder / f"{self.name}-{form.tokenizer}-{_short(key)}.json"
        with contextlib.suppress(OSError, ValueError, UserError):
            return load_tokenizer(json.loads(path.read_text(encoding="utf-8")))
        splits = documents if form.tokenizer == "char" else {"train": documents["train"]}
        found = [document for split in splits.values() for document in split]
        made = form.train(_read(found, f"{self.name}: vocabulary"), [EOT] if several else [])
        with contextlib.suppress(OSError), _new_folder(self.folder) as temporary:
            (temporary / "tokenizer.json").write_text(json.dumps(made.to_json()), encoding="utf-8")
            (temporary / "tokenizer.json").replace(path)
        return made

    def arrays(self, tokenizer: Tokenizer, documents: Documents) -> dict[str, np.ndarray]:
        """The ids of each split, unsigned (L,); mapped from the disk where they are large."""
        key = f"{VERSION} {self.sha256} {json.dumps(tokenizer.to_json())} {list(documents)}"
        folder = self.folder / f"{self.name}-{_short(key)}"
        with contextlib.suppress(OSError, ValueError, KeyError):
            return _load(folder)
        try:
            with _new_folder(self.folder) as temporary:
                for split, found in documents.items():
                    _tokenise(found, tokenizer, temporary / f"{split}.npy", f"{self.name} {split}")
                with contextlib.suppress(OSError):  # another process was quicker
                    temporary.rename(folder)
            return _load(folder)
        except OSError as error:
            raise UserError(
                f"data.root: the tokens of {self.name} cannot be kept in {self.folder} "
                f"({error.strerror or error}); set data.root to a folder with room"
            ) from None


@contextlib.contextmanager
def _new_folder(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _tokenise(documents: Sequence[Document], tokenizer: Tokenizer, path: Path, what: str) -> None:
    """Write the ids of documents, `<|endoftext|>` after each where the tokenizer has it."""
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
    eot, length = tokenizer.specials.get(EOT), 0
    with open(path, "wb") as file:
        file.write(bytes(128))  # room for the header, which tells the length
        for document in documents:
            for piece in _read([document], f"tokenising {what}"):
                ids = tokenizer.encode(piece).astype(dtype)
                file.write(ids.tobytes())
                length += len(ids)
            if eot is not None:
                file.write(np.array([eot], dtype).tobytes())
                length += 1
        file.seek(0)
        np.lib.format.write_array_header_1_0(
            file, {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
        )
        assert file.tell() == 128, "numpy pads its header to 64 bytes"


def _load(folder: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for path in sorted(folder.iterdir()):
        mapped = np.load(path, mmap_mode="r")
        arrays[path.stem] = np.array(mapped) if mapped.nbytes <= IN_MEMORY else mapped
    return {split: arrays[split] for split in ("train", "val", "test")} | arrays


def _read(documents: Iterable[Document], what: str) -> Iterator[str]:
    """The pieces of documents, with a progress bar."""
    documents = list(documents)
    with Progress(what, sum(document.size for document in documents), "B") as progress:
        for document in documents:
            for piece in document.pieces():
                yield piece
                progress.update(len(piece))


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _check_same(tokenizer: Tokenizer, form: TextForm) -> None:
    if form.tokenizer != tokenizer.kind:
        raise UserError(
            f"data.tokenizer={form.tokenizer}: the run was trained with its own "
            f"{tokenizer.kind} tokenizer of {tokenizer.vocab_size:,} tokens, and its weights mean "
            f"nothing to another; leave data.tokenizer away, or set it to {tokenizer.kind}"
        )


def _check_lengths(arrays: Mapping[str, np.ndarray], block_size: int, name: str) -> None:
    for split, tokens in arrays.items():
        if len(tokens) < block_size + 1:
            sizes = ", ".join(f"{one} {len(found):,}" for one, found in arrays.items())
            raise UserError(
                f"{name}: the {split} split has {len(tokens):,} tokens, expected at least "
                f"data.block_size + 1 = {block_size + 1} ({sizes}); lower data.block_size, raise "
                f"data.{'val' if split == 'val' else 'test'}_fraction or give more text"
            )


def _spell(documents: Documents, arrays: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> str:
    size = sum(document.size for found in documents.values() for document in found)
    files = sum(len(found) for found in documents.values())
    tokens = sum(len(tokens) for tokens in arrays.values())
    return (
        f"{size / 1e6:.1f} MB of text in {files:,} document{'s' if files > 1 else ''}: "
        f"{tokens:,} tokens, {size / max(1, tokens):.2f} bytes each, of {tokenizer.vocab_size:,} "
        f"({tokenizer.kind})"
    )
