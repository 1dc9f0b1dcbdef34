"""Text files: finding them, and reading them in pieces, so that a file may exceed the memory."""

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo.data.paths import not_found
from zoo.data.text.transcode import COMPRESSED, is_plain, is_wide, read_head
from zoo.errors import UserError, closest_match
from zoo.files import user_path
from zoo.phrases import first_few, plural

PIECE = 2**20  # bytes read at once
BOM = b"\xef\xbb\xbf"
PACKED = {".gz", ".bz2", ".xz", ".zst", ".zip"}  # of one text each; an archive is none
EXTENSIONS = {
    ".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".org", ".adoc", ".srt", ".log", ".py",
    ".pyi", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".java", ".kt", ".scala", ".go", ".rs",
    ".swift", ".js", ".jsx", ".ts", ".tsx", ".vue", ".rb", ".pl", ".php", ".lua", ".r", ".jl",
    ".m", ".hs", ".ml", ".ex", ".erl", ".clj", ".lisp", ".el", ".sql", ".sh", ".bash", ".bat",
    ".ps1", ".html", ".htm", ".css", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".cmake", ".v",
    ".sv", ".vhd", ".f90", ".asm", ".s", ".zig", ".dart",
}  # fmt: skip


def find_texts(path: str, pattern: str | None = None) -> tuple[Path, list[Path], list[str]]:
    """The text files that a path names: itself, those of a folder, or those that match a glob.

    Args:
        path: A file, a folder, or a pattern such as `books/**/*.txt`.
        pattern: Of a folder, take the files whose name (or path in it) matches, whatever their
            extension; without it those with the extension of a text, or none. Hidden files and
            folders, links to folders, binary files and empty files are left out.

    Returns:
        The folder that they have in common, the files, sorted, and notes on what was left out.

    Raises:
        UserError: There is none; a folder that cannot be read; a pattern where there is no folder.
    """
    root = user_path(path)
    if pattern is not None and not root.is_dir() and (root.is_file() or glob.has_magic(path)):
        kind = "a file" if root.is_file() else "a pattern itself"
        raise UserError(
            f"data.pattern={pattern!r} chooses files of a folder, but data.path={path!r} is "
            f"{kind}; data.pattern=null"
        )
    if root.is_file():
        _check_file(root)
        return root.parent, [root], []
    is_pattern = not root.is_dir() and glob.has_magic(path)
    links: list[str] = []
    if root.is_dir():
        files, other = _in_folder(root, pattern, links)
        number = plural(len(other), "file")
        problem = f"{root}: none of its {number} {_wanted(pattern)} ({_kinds(other)})"
        fix = "set the pattern: data.pattern='*.xyz'"
        if not files and not other:
            problem, fix = f"{root}: the folder has no files", "set another data.path"
    elif is_pattern:
        root, files, other = _matching(root)
        name = Path(path).name
        problem, fix = f"no file matches data.path={path!r}{_near(root, name)}", "correct it"
    else:
        raise not_found(root)
    texts, reasons = _filter_text_files(files)
    if not texts:
        if files:
            problem = f"{path}: no text among {plural(len(files), 'file')} ({', '.join(reasons)})"
        raise UserError(f"{problem}; {fix}")
    if other:
        reasons.append(f"{len(other):,} of another kind ({_kinds(other)})")
    if links:
        reasons.append(f"those of {plural(len(links), 'linked folder')} ({first_few(links)})")
    return root, texts, [f"files left out: {', '.join(reasons)}"] if reasons else []


def _matching(pattern: Path) -> tuple[Path, list[Path], list[Path]]:
    """The folder before the first wildcard, the files that match, and no others."""
    matches = (Path(match) for match in glob.iglob(str(pattern), recursive=True))  # noqa: PTH207
    files = sorted(match for match in matches if match.is_file())
    parts = pattern.parts
    fixed = next(i for i, name in enumerate(parts) if glob.has_magic(name))
    return (Path(*parts[:fixed]) if fixed else Path()), files, []


def _in_folder(
    folder: Path, pattern: str | None, links: list[str]
) -> tuple[list[Path], list[Path]]:
    """The files that are wanted, and the others; no hidden ones. Folders that are links are not
    looked into, but added to `links`."""
    matched: list[Path] = []
    other: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = (path for name in folders if (path := Path(parent, name)).is_symlink())
        links += [path.relative_to(folder).as_posix() for path in linked]
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(parent, name)
                relative = path.relative_to(folder).as_posix()
                (matched if _is_wanted(name, relative, pattern) else other).append(path)
    return sorted(matched), other


def _stop(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror or error}")


def _is_wanted(name: str, relative: str, pattern: str | None) -> bool:
    if pattern is None:
        return Path(name).suffix.lower() in EXTENSIONS or "." not in name
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(relative, pattern)


def _filter_text_files(files: list[Path]) -> tuple[list[Path], list[str]]:
    """The files that hold text, and how many of the others are binary or empty."""
    texts = []
    reasons: Counter[str] = Counter()
    for file in files:
        if not file.is_file():  # a pipe is never opened
            reasons["missing (a broken link) or no regular file"] += 1
            continue
        head = read_head(file)
        if b"\0" in head and not is_wide(head) and not _is_packed(file, head):
            reasons["binary"] += 1
        elif not head.removeprefix(BOM):
            reasons["empty"] += 1
        else:
            texts.append(file)
    return texts, [f"{count:,} {reason}" for reason, count in sorted(reasons.items())]


def _is_packed(file: Path, head: bytes) -> bool:
    """Whether a file holds one compressed text, by its name and its first bytes."""
    is_alone = file.suffix.lower() in PACKED and ".tar" not in file.suffixes
    return is_alone and head.startswith(COMPRESSED)


def _check_file(path: Path) -> None:
    head = read_head(path)
    if not head.removeprefix(BOM):
        raise UserError(f"{path}: the file is empty; expected text")
    if is_plain(head) and b"\0" in head:
        raise UserError(
            f"{path}: not a text: byte 0 at offset {head.index(0)}; expected UTF-8; if it is one, "
            f"take the zeros out: tr -d '\\000' < {path} > {path.stem}-text{path.suffix}"
        )


def _wanted(pattern: str | None) -> str:
    if pattern is None:
        return "has the extension of a text"
    return f"matches data.pattern={pattern!r}"


def _kinds(files: list[Path]) -> str:
    counts = Counter(path.suffix.lower() or path.name for path in files)
    return first_few((f"{count:,} {kind}" for kind, count in counts.most_common()), 4)


def _near(folder: Path, name: str) -> str:
    if not folder.is_dir():
        return f": {not_found(folder)}"
    guess = closest_match(name, [path.name for path in folder.iterdir()])
    return f"; did you mean '{folder / guess}'?" if guess else ""


def _convert(path: Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {path} > {path.stem}-utf8{path.suffix}"


def first_byte(path: Path) -> int:
    """Where the text begins: after the byte order mark, if there is one."""
    return len(BOM) if read_head(path).startswith(BOM) else 0


def line_boundary(path: Path, offset: int, limit: int) -> int:
    """The first beginning of a line at or after `offset`, or of a character if that is too far.

    Args:
        path: The file.
        offset: Bytes.
        limit: How far to look for the beginning of a line, bytes.
    """
    with path.open("rb") as file:
        file.seek(max(0, offset - 1))
        before = file.read(1) if offset else b"\n"
        after = file.read(max(4, min(limit, PIECE)))
    if before == b"\n":
        return offset
    if line := after.find(b"\n") + 1:
        return offset + line
    return offset + next((i for i, b in enumerate(after) if b & 0xC0 != 0x80), len(after))


def pieces(path: Path, start: int = 0, stop: int | None = None) -> Iterator[str]:
    r"""The text of a file from byte `start` to `stop`, about 1 MB at a time, cut at ends of lines.

    A line longer than that is cut after a space, or between two characters. `\r\n` becomes `\n`.

    Raises:
        UserError: It cannot be read, or is not UTF-8, with the offset of the first wrong byte.
    """
    offset, rest = start, b""
    for chunk in raw_pieces(path, start, stop):
        buffer = rest + chunk
        if cut := _cut(buffer):
            yield _decode(buffer[:cut], offset, path)
        offset, rest = offset + cut, buffer[cut:]
    if rest:
        yield _decode(rest, offset, path)


def raw_pieces(path: Path, start: int, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `start` to `stop`, about 1 MB at a time."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            while chunk := file.read(PIECE if stop is None else min(PIECE, stop - file.tell())):
                yield chunk
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _cut(buffer: bytes) -> int:
    """Where to cut: after the last line, else after the last space, else before the last character.

    A last `\\r`, which a `\\n` may follow, is left for the next piece.
    """
    if end := buffer.rfind(b"\n") + 1 or buffer.rfind(b" ") + 1:
        return end
    for back in range(1, min(4, len(buffer)) + 1):
        if buffer[-back] & 0xC0 != 0x80:  # the first byte of a character
            return len(buffer) - back
    return len(buffer)


def _decode(raw: bytes, offset: int, path: Path) -> str:
    try:
        text = raw.decode("utf-8")
        return text.replace("\r\n", "\n") if b"\r" in raw else text
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8: byte 0x{raw[error.start]:02x} at offset {offset + error.start:,}; "
            f"convert it: {_convert(path, 'LATIN1')} (or its actual encoding)"
        ) from error
