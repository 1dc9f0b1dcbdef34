"""Tokenizers and arrays of token ids, made once and kept on the disk.

They are in `<root>/tokens`, named by the text's SHA-256 and the tokenizer's settings. A file is
complete or not there at all; a damaged one is made again. Where nothing can be written, the
system's temporary folder is used, for this process only.
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
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import EOT, Tokenizer, cut_version, load_tokenizer
from zoo.errors import UserError
from zoo.files import atomic_write, write_text

VERSION = 2  # of the cached form
IN_MEMORY = 256 * 2**20  # bytes of tokens; larger arrays stay on the disk
LEARN_FROM = 64 * 2**20  # bytes of text from which byte pairs are learnt
HEADER = 128  # bytes of a .npy file before its numbers


class TokenCache:
    """The tokenizer and the tokens of one dataset.

    Args:
        root: Folder of the cache (`data.root`).
        name: The dataset.
        sha256: Of its text and splits.
    """

    def __init__(self, root: str, name: str, sha256: str) -> None:
        self.folder, self.name, self.sha256 = Path(root) / "tokens", name, sha256
        self.notes: list[str] = []

    def tokenizer(
        self,
        config: TokenizerConfig,
        documents: Documents,
        several: bool,
        specials: Sequence[str] = (),
    ) -> Tokenizer:
        """The tokenizer with these settings, fitted on the training split.

        Characters are those of all splits. Of a training text above 64 MB, byte pairs are learnt
        from pieces spread evenly over it, 64 MB in total.

        Args:
            config: The settings.
            documents: By split.
            several: Whether there are several in a split, so that a token has to end each.
            specials: Names of special tokens, in place of that one.
        """
        if config.given is not None:
            return config.given
        key = f"{VERSION} {self.sha256} {sorted(asdict(config).items())} {several} {LEARN_FROM}"
        key += cut_version(config.tokenizer) + (f" {list(specials)}" if specials else "")
        path = self.folder / f"{self.name}-{config.tokenizer}-{_hash(key)}.json"
        with contextlib.suppress(OSError, ValueError, UserError):
            return load_tokenizer(json.loads(path.read_text(encoding="utf-8")))
        what = f"{self.name}: vocabulary"
        if config.tokenizer == "char":
            texts = read([d for members in documents.values() for d in members], what)
        elif config.tokenizer == "bpe":
            texts = sample(documents["train"], LEARN_FROM, what)
        else:
            texts = read(documents["train"], what)
        tokenizer = config.train(texts, specials or ([EOT] if several else []))
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(tokenizer.to_json()))
        return tokenizer

    def array(self, tokenizer: Tokenizer, split: str, documents: Sequence[Document]) -> np.ndarray:
        """The ids of a split, unsigned (L,); mapped from the disk where they are many.

        Raises:
            UserError: The text has characters that the tokenizer lacks; the disk is full.
        """
        key = f"{VERSION} {self.sha256} {json.dumps(tokenizer.to_json())} {split}"
        path = self.folder / f"{self.name}-{_hash(key)}-{split}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            return _load(path, tokenizer.vocab_size)
        what = f"tokenising {self.name} {split}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _tokenise(documents, tokenizer, path, what)
            return _load(path, tokenizer.vocab_size)
        except OSError as error:
            self._note_not_cached(error)
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                _tokenise(documents, tokenizer, Path(folder) / "tokens.npy", what)
                return _load(Path(folder) / "tokens.npy", tokenizer.vocab_size)
        except OSError as error:
            raise UserError(
                f"the tokens of {self.name} can be written neither to {self.folder} nor to "
                f"{tempfile.gettempdir()} ({error.strerror or error}); set data.root to a folder "
                "with free space"
            ) from None

    def _note_not_cached(self, error: OSError) -> None:
        note = (
            f"the tokens cannot be cached in {self.folder} ({error.strerror or error}), so each "
            "run tokenises again; set data.root to a folder with free space"
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
        file.write(bytes(HEADER))  # replaced below, when the length is known
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


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
