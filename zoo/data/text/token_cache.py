"""Tokenizers and arrays of token ids, made once and kept on the disk.

They lie under `<root>/tokens`, by the text's SHA-256 and the tokenizer's settings. A file appears
whole or not at all; what cannot be read, or says what cannot be, is made anew. Where nothing can
be written the system's temporary folder serves, for this process alone.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from zoo.data.text.document import Document, Documents, read, sample
from zoo.data.text.encoding import TextForm
from zoo.data.tokenizers.registry import EOT, Tokenizer, load_tokenizer
from zoo.errors import UserError
from zoo.files import atomic_write, write_text

VERSION = 2  # of the cached form
IN_MEMORY = 256 * 2**20  # bytes of tokens; larger arrays stay on the disk
LEARN_FROM = 64 * 2**20  # bytes of text that byte pairs are learnt from
HEADER = 128  # bytes of a .npy file before its numbers


class TokenCache:
    """What is kept of one dataset.

    Args:
        root: The data's.
        name: The dataset.
        sha256: Of its text and splits.
    """

    def __init__(self, root: str, name: str, sha256: str) -> None:
        self.folder, self.name, self.sha256 = Path(root) / "tokens", name, sha256
        self.notes: list[str] = []

    def tokenizer(self, form: TextForm, documents: Documents, several: bool) -> Tokenizer:
        """The tokenizer of a form, fitted on the training split.

        Characters are those of all splits. Byte pairs of a training text above 64 MB are learnt
        from pieces taken evenly all over it, 64 MB together.
        """
        if form.given is not None:
            return form.given
        key = f"{VERSION} {self.sha256} {sorted(asdict(form).items())} {several} {LEARN_FROM}"
        path = self.folder / f"{self.name}-{form.tokenizer}-{_short(key)}.json"
        with contextlib.suppress(OSError, ValueError, UserError):
            return load_tokenizer(json.loads(path.read_text(encoding="utf-8")))
        what = f"{self.name}: vocabulary"
        if form.tokenizer == "char":
            texts = read([one for split in documents.values() for one in split], what)
        elif form.tokenizer == "bpe":
            texts = sample(documents["train"], LEARN_FROM, what)
        else:
            texts = read(documents["train"], what)
        made = form.train(texts, [EOT] if several else [])
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(made.to_json()))
        return made

    def array(self, tokenizer: Tokenizer, split: str, documents: Sequence[Document]) -> np.ndarray:
        """The ids of a split, unsigned (L,); mapped from the disk where they are many.

        Raises:
            UserError: The text has what the tokenizer lacks; there is no room.
        """
        key = f"{VERSION} {self.sha256} {json.dumps(tokenizer.to_json())} {split}"
        path = self.folder / f"{self.name}-{_short(key)}-{split}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            return _load(path, tokenizer.vocab_size)
        what = f"tokenising {self.name} {split}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _tokenise(documents, tokenizer, path, what)
            return _load(path, tokenizer.vocab_size)
        except OSError as error:
            self._cannot_keep(error)
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                _tokenise(documents, tokenizer, Path(folder) / "tokens.npy", what)
                return _load(Path(folder) / "tokens.npy", tokenizer.vocab_size)
        except OSError as error:
            raise UserError(
                f"the tokens of {self.name} can be kept neither in {self.folder} nor in "
                f"{tempfile.gettempdir()} ({error.strerror or error}); set data.root to a folder "
                "with room"
            ) from None

    def _cannot_keep(self, error: OSError) -> None:
        note = (
            f"the tokens cannot be kept in {self.folder} ({error.strerror or error}): each run "
            "tokenises anew; set data.root to a folder with room"
        )
        if note not in self.notes:
            self.notes.append(note)


def token_type(vocab_size: int) -> np.dtype:
    """The smallest unsigned integers that hold all ids."""
    return np.min_scalar_type(vocab_size - 1)


def _tokenise(documents: Sequence[Document], tokenizer: Tokenizer, path: Path, what: str) -> None:
    """Write the ids of documents, `<|endoftext|>` after each where the tokenizer has it."""
    dtype = token_type(tokenizer.vocab_size)
    eot = tokenizer.specials.get(EOT)
    with atomic_write(path) as file:
        file.write(bytes(HEADER))  # room for what tells the length
        for document in documents:
            try:
                for piece in read([document], what):
                    file.write(tokenizer.encode(piece).astype(dtype).tobytes())
            except UserError as error:
                raise UserError(f"{document.name}: {error}") from None
            if eot is not None:
                file.write(np.array([eot], dtype).tobytes())
        length = (file.tell() - HEADER) // dtype.itemsize
        file.seek(0)
        header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, header)
        assert file.tell() == HEADER, "numpy pads its header to 64 bytes"


def _load(path: Path, vocab_size: int) -> np.ndarray:
    """The array of a file.

    Raises:
        OSError, ValueError, EOFError: It is missing or damaged.
    """
    mapped = np.load(path, mmap_mode="r")
    if mapped.ndim != 1 or mapped.dtype != token_type(vocab_size):
        raise ValueError(f"{path}: {mapped.dtype} {mapped.shape}")
    if mapped.nbytes > IN_MEMORY:
        return mapped
    tokens = np.array(mapped)
    if len(tokens) and int(tokens.max()) >= vocab_size:
        raise ValueError(f"{path}: an id of {int(tokens.max())}")
    return tokens


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
