"""Files and folders that appear under their name complete, or not at all.

Content is written to a sibling with a temporary name, is flushed to the disk, and is then
renamed: a crash leaves the old content or the new one, and no reader sees half of either.
"""

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from zoo.errors import UserError

NAME_BYTES = 255  # of a file's or folder's name, on nearly every file system
WRITING = ".writing-"  # how the temporary names of folders begin
LOCK_SECONDS, POLL_SECONDS = 3.0, 0.05


def user_path(text: str | Path) -> Path:
    """A path as a user types it: `~` is the home folder.

    Raises:
        UserError: A home folder of nobody, a name that no file can have.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        name = str(text).partition("/")[0]
        raise UserError(f"{text}: '{name}' is nobody's home folder here") from None
    long = max(path.parts, key=lambda part: len(os.fsencode(part)), default="")
    if len(os.fsencode(long)) > NAME_BYTES:
        raise UserError(
            f"{text}: a name of {len(os.fsencode(long))} bytes, of at most {NAME_BYTES}"
        )
    if "\0" in str(text):
        raise UserError(f"{text}: no path holds a zero byte")
    return path


def lock(file: IO[Any], seconds: float = LOCK_SECONDS) -> bool:
    """Lock an open file until it is closed; False where another process holds it for so long.

    Processes that inherit the descriptor hold the lock as well while they live. The file is open
    for writing: else NFS does not lock it. A system without such locks refuses nobody.
    """
    try:
        import fcntl
    except ImportError:
        return True
    for _ in range(1 + int(seconds / POLL_SECONDS)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:  # a process that was killed may still be ending
            time.sleep(POLL_SECONDS)
        except OSError:
            return True
    return False


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write and read, which replaces `path` when the block ends well.

    Several processes or threads may write the same path: the last one to finish wins. After an
    error in the block `path` is as before and nothing else is left.

    Raises:
        OSError: The file cannot be made, or the disk does not take its content.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) in one move; bytes that are no characters have their codes."""
    with atomic_write(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def atomic_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` when the block ends well.

    Files in it that must survive a crash are for the block to flush (`write_synced`). After an
    error in the block `path` is as before and nothing else is left.

    Args:
        path: The name to appear.
        replace: Whether a folder of that name is removed just before the new one takes it.

    Raises:
        OSError: The folder cannot be made or renamed, as where `path` exists and is not empty.
    """
    temporary = path.with_name(f"{WRITING}{path.name}-{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        sync_folder(temporary)
        if replace and path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has a folder's entries (a no-op where folders cannot be opened)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finite(value: Any) -> Any:
    """The same content for a JSON file: null in place of nan and infinity, which JSON lacks."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
