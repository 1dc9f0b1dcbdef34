"""Text files: which there are, and their text in pieces, so that a file may exceed the memory."""

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo.data.paths import not_found
from zoo.errors import UserError, closest_match

PIECE = 2**20  # bytes read at once
BOM = b"\xef\xbb\xbf"
EXTENSIONS = set(
    ".txt .text .md .markdown .rst .tex .org .adoc .srt .log .py .pyi .c .h .cc .cpp .hpp "
    ".cs .java .kt .scala .go .rs .swift .js .jsx .ts .tsx .vue .rb .pl .php .lua .r .jl .m .hs "
    ".ml .ex .erl .clj .lisp .el .sql .sh .bash .bat .ps1 .html .htm .css .yaml .yml .toml .ini "
    ".cfg .cmake .v .sv .vhd .f90 .asm .s .zig .dart".split()
)


def find_texts(path: str, pattern: str | None = None) -> tuple[Path, list[Path], list[str]]:
    """The text files that a path names: itself, those of a folder, or those that match a glob.

    Args:
        path: A file, a folder, or a pattern such as `books/**/*.txt`.
        pattern: Of a folder, take the files whose name (or path in it) matches, whatever their
            extension; without it those of a text's extension, or of none. Hidden files and
            folders are never taken, nor are binary or empty files.

    Returns:
        The folder that they have in common, the files, sorted, and notes on what was left out.

    Raises:
        UserError: There is none.
    """
    place = Path(path).expanduser()
    if place.is_file():
        _check_one(place)
        return place.parent, [place], []
    if place.is_dir():
        found, other = _in_folder(place, pattern)
        nothing = f"{place}: none of its {len(other):,} files {_wanted(pattern)} ({_kinds(other)})"
        fix = "name the kind: data.pattern='*.xyz'"
    elif glob.has_magic(path):
        matched = (Path(one) for one in glob.iglob(str(place), recursive=True))
        found, other = sorted(one for one in matched if one.is_file()), []
        parts = place.parts
        plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        place = Path(*parts[:plain]) if plain else Path()
        nothing, fix = f"no file matches data.path={path!r}{_near(place, parts[-1])}", "mend it"
    else:
        raise not_found(place)
    kept, notes = _texts_alone(found)
    if not kept:
        if found:
            nothing = f"{path}: no text among {len(found):,} files ({', '.join(notes)})"
        elif place.is_dir() and not other and not glob.has_magic(path):
            nothing, fix = f"{place}: the folder has no files", "name another"
        raise UserError(f"{nothing}; {fix}")
    if other:
        notes.append(f"{len(other):,} of another kind ({_kinds(other)})")
    return place, kept, [f"files left out: {', '.join(notes)}"] if notes else []


def _in_folder(folder: Path, pattern: str | None) -> tuple[list[Path], list[Path]]:
    """The files that are wanted, and the others; no hidden ones."""
    found, other = [], []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(place, name)
                inside = path.relative_to(folder).as_posix()
                (found if _is_wanted(name, inside, pattern) else other).append(path)
    return sorted(found), other


def _is_wanted(name: str, inside: str, pattern: str | None) -> bool:
    if pattern is None:
        return Path(name).suffix.lower() in EXTENSIONS or "." not in name
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(inside, pattern)


def _texts_alone(files: list[Path]) -> tuple[list[Path], list[str]]:
    """The files that hold text, and how many hold none."""
    kept, reasons = [], Counter()
    for file in files:
        start = _beginning(file)
        reason = "binary" if b"\0" in start else None if start.removeprefix(BOM) else "empty"
        if reason is None:
            kept.append(file)
        else:
            reasons[reason] += 1
    return kept, [f"{count:,} {reason}" for reason, count in sorted(reasons.items())]


def _check_one(path: Path) -> None:
    start = _beginning(path)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path}: this is UTF-16; expected UTF-8: {_convert(path, 'UTF-16')}")
    if not start.removeprefix(BOM):
        raise UserError(f"{path}: the file is empty; expected text")
    if b"\0" in start:
        at = start.index(b"\0")
        raise UserError(f"{path}: byte 0 at offset {at}: this is no text; expected UTF-8")


def _beginning(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8192)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _wanted(pattern: str | None) -> str:
    if pattern is None:
        return "has a text's extension"
    return f"matches data.pattern={pattern!r}"


def _kinds(files: list[Path]) -> str:
    counts = Counter(path.suffix.lower() or path.name for path in files)
    shown = [f"{count:,} {kind}" for kind, count in counts.most_common(4)]
    return ", ".join(shown) + (", ..." if len(counts) > 4 else "")


def _near(folder: Path, name: str) -> str:
    if not folder.is_dir():
        return f": {not_found(folder)}"
    guess = closest_match(name, [path.name for path in folder.iterdir()])
    return f"; did you mean '{folder / guess}'?" if guess else ""


def _convert(path: Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {path} > {path.stem}-utf8{path.suffix}"


def first_byte(path: Path) -> int:
    """Where the text begins: after the byte order mark, if there is one."""
    return len(BOM) if _beginning(path).startswith(BOM) else 0


def border(path: Path, offset: int, room: int) -> int:
    """The first beginning of a line at or after `offset`, or of a character if that is too far.

    Args:
        offset: Bytes.
        room: How far a line's beginning is looked for, bytes.
    """
    with open(path, "rb") as file:
        file.seek(max(0, offset - 1))
        before = file.read(1) if offset else b"\n"
        found = file.read(max(4, min(room, PIECE)))
    if before == b"\n":
        return offset
    line = found.find(b"\n") + 1
    return offset + (line or next((i for i, b in enumerate(found) if b & 0xC0 != 0x80), len(found)))


def pieces(path: Path, start: int = 0, stop: int | None = None) -> Iterator[str]:
    r"""The text of a file from byte `start` to `stop`, about 1 MB at a time, cut at ends of lines.

    A line longer than that is cut after a space, or between two characters. `\r\n` becomes `\n`.

    Raises:
        UserError: It cannot be read, or is not UTF-8, with the offset of the first wrong byte.
    """
    try:
        with open(path, "rb") as file:
            file.seek(start)
            at, rest = start, b""
            while True:
                end = at + len(rest)
                wanted = PIECE if stop is None else min(PIECE, stop - end)
                chunk = file.read(wanted)
                buffer = rest + chunk
                cut = _cut(buffer) if chunk else len(buffer)
                if cut:
                    yield _decode(buffer[:cut], at, path)
                at, rest = at + cut, buffer[cut:]
                if not chunk:
                    return
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def raw_pieces(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of a file from `start` to `stop`, about 1 MB at a time."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            while chunk := file.read(min(PIECE, stop - file.tell())):
                yield chunk
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _cut(buffer: bytes) -> int:
    """Where to cut: after the last line, else after the last space, else before the last character.

    A last `\r`, whose `\n` may be still to come, is left for the next piece.
    """
    if place := buffer.rfind(b"\n") + 1 or buffer.rfind(b" ") + 1:
        return place
    for back in range(1, min(4, len(buffer)) + 1):
        if buffer[-back] & 0xC0 != 0x80:  # the first byte of a character
            return len(buffer) - back
    return len(buffer)


def _decode(raw: bytes, at: int, path: Path) -> str:
    try:
        text = raw.decode("utf-8")
        return text.replace("\r\n", "\n") if b"\r" in raw else text
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8: byte 0x{raw[error.start]:02x} at offset {at + error.start:,}; "
            f"convert it: {_convert(path, 'LATIN1')} (or whatever it is written in)"
        ) from error
