"""Images and classes that a CSV file lists, found again however their paths are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.data.charset import read_text
from zoo.data.images.files import EXTENSIONS, images_under
from zoo.data.images.index import ImageIndex
from zoo.data.images.layout import split_of
from zoo.data.labels import find_separator
from zoo.data.paths import not_found
from zoo.data.tables.csv_file import Table, read_csv
from zoo.data.tables.input import JSON_NAMES, of_json
from zoo.errors import UserError
from zoo.files import user_path
from zoo.phrases import plural

PATH_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "image_id", "id")
LABEL_NAMES = ("label", "class", "target", "category")
CAPTION_NAMES = ("caption", "text", "title", "description", "sentence", "comment")


@dataclass
class _Finder:
    """Finds listed files: as written, with `/` for `\\`, or by name among all images."""

    folders: tuple[Path, ...]  # that listed paths may start from
    changed: int = 0  # found otherwise than as written
    _by_name: dict[str, list[Path]] = field(default_factory=dict)

    def find(self, listed: str) -> Path | None:
        """The file, None if there is none."""
        if file := self._as_written(listed):
            return file
        plain = listed.replace("\\", "/")
        file = self._as_written(plain) or self._by_search(plain)
        self.changed += file is not None
        return file

    def _as_written(self, listed: str) -> Path | None:
        return next((f for folder in self.folders if (f := folder / listed).is_file()), None)

    def _by_search(self, listed: str) -> Path | None:
        """By path or by name alone, in letters of either case, with or without its extension.

        Raises:
            UserError: Several files match.
        """
        if not self._by_name:
            self._read_names()
        path = Path(listed)
        for text in (listed, path.name):
            found = self._by_name.get(text.lower().removeprefix("./"), [])
            if len(found) > 1:
                raise UserError(f"'{listed}' may be {found[0]} or {found[1]}")
            if found:
                return found[0]
        return None

    def _read_names(self) -> None:
        root = self.folders[0]
        for file in images_under(root):
            path = file.relative_to(root)
            stem = path.with_suffix("") if path.suffix.lower() in EXTENSIONS else path
            for name in {path.as_posix(), path.name, stem.as_posix(), stem.name}:
                self._by_name.setdefault(name.lower(), []).append(file)


@dataclass
class Listed:
    """What a file lists.

    Attributes:
        source: The file.
        files, texts, splits, lines: Of each line an image, its class or caption, its split if a
            column names it, and its number.
        notes: What was understood in a particular way.
        separator: Between several labels of a cell.
    """

    source: Path
    files: list[Path] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    separator: str | None = None


def index_listed(
    root: Path, labels: str, is_new: bool, several: bool = False, separator: str | None = None
) -> ImageIndex:
    """Files and classes that a CSV file lists.

    Args:
        root: The folder that paths start from; they may start from the file's own folder too.
        labels: The file, in `root` or elsewhere: columns `path` and `label`, and perhaps `split`.
        is_new: Whether a run is to be trained: it needs a training split.
        several: Whether a file has any number of labels, such as `sea;sky`, none of an empty cell.
        separator: Between them; None to detect it.

    Raises:
        UserError: No such columns; lines without a path, a label or an existing file, or that
            repeat one.
    """
    listed = read_list(root, labels, LABEL_NAMES, several, separator)
    index = ImageIndex(notes=listed.notes, separator=listed.separator)
    for file, label, split in zip(listed.files, listed.texts, listed.splits, strict=True):
        index.add([file], label, split)
    if any(listed.splits):
        index.settle_splits(f"the split train of {listed.source}", is_new)
    return index


def read_list(
    root: Path,
    file: str,
    columns: tuple[str, ...],
    several: bool = False,
    separator: str | None = None,
    repeats: bool = False,
) -> Listed:
    """Images and what a file says of each.

    Args:
        root: The folder that paths start from; they may start from the file's own folder too.
        file: The list, in `root` or elsewhere: a column `path`, one of `columns`, perhaps `split`.
        columns: Usual names of the column of texts, the first of which is ours.
        several: Whether a cell has any number of labels, so that it may be empty.
        separator: Between them; None to detect it.
        repeats: Whether an image may be listed several times.

    Raises:
        UserError: As `index_listed`.
    """
    source = root / file if (root / file).is_file() else user_path(file)
    table = _read_table(source)
    names = [_column(table, usual, columns[0]) for usual in (PATH_NAMES, columns)]
    paths, texts = (list(_cells(table, name)) for name in names)
    splits, notes = _splits(table)
    listed, finder = Listed(source, notes=[*table.notes, *notes]), _Finder((root, source.parent))
    if several:
        listed.separator = find_separator(texts, separator)
    problems: list[str] = []
    line_of: dict[Path, int] = {}
    for path, text, split, line in zip(paths, texts, splits, table.lines):
        try:
            if not path or not (text or several):
                raise UserError(f"the {columns[0] if path else 'path'} is missing")
            found = _find(finder, root, path, {} if repeats else line_of)
        except UserError as error:
            problems.append(f"line {line}: {error}")
            continue
        line_of[found] = line
        listed.files.append(found)
        listed.texts.append(text)
        listed.splits.append(split)
        listed.lines.append(line)
    if problems:
        more = f"; {plural(len(problems) - 3, 'more line')}" if len(problems) > 3 else ""
        raise UserError(f"{source}, {'; '.join(problems[:3])}{more}")
    if finder.changed:
        listed.notes.append(
            f"{finder.changed:,} of {len(listed.files):,} paths of {source.name} are not written "
            "as the files are named (\\ for /, another case, no extension or folder): found by name"
        )
    return listed


def _read_table(source: Path) -> Table:
    """A CSV file, or one of JSON objects, one a line or in one list."""
    if source.suffix.lower() in JSON_NAMES and source.is_file():
        read = read_text(source)
        table = of_json(read.text, str(source), {})
        return replace(table, notes=[*table.notes, *read.notes])
    return read_csv(source)


def _find(finder: _Finder, root: Path, path: str, line_of: dict[Path, int]) -> Path:
    file = finder.find(path)
    if file is None:
        raise not_found(root / path)
    if file in line_of:
        raise UserError(f"{path} was already on line {line_of[file]}")
    return file


def _column(table: Table, names: tuple[str, ...], text: str) -> str:
    """The column of one of the usual names, the first of which is ours; `text` is that of texts.

    Raises:
        UserError: None, or several.
    """
    by_lower = {name.lower(): name for name in table.header}
    found = [by_lower[name] for name in names if name in by_lower]
    if names[0] in by_lower or len(found) == 1:
        return by_lower.get(names[0], found[0])
    raise UserError(
        f"{table.path}: no column '{names[0]}' (there are: {', '.join(table.header)}); "
        f"expected a header with path and {text}"
    )


def _cells(table: Table, name: str) -> Iterator[str]:
    """The texts of a column: here "NA" and "null" are names like others."""
    position = table.header.index(name)
    return (row[position].strip() for row in table.rows)


def _splits(table: Table) -> tuple[list[str | None], list[str]]:
    """The split of each line, if a column names it, and a note of other values."""
    name = next((name for name in table.header if name.lower() == "split"), None)
    if name is None:
        return [None] * len(table.rows), []
    texts = list(_cells(table, name))
    splits = [split_of(text) for text in texts]
    wrong = [i for i, split in enumerate(splits) if split is None]
    if not wrong:
        return splits, []
    value = texts[wrong[0]]
    if len(wrong) == len(splits):
        return splits, [f"column '{name}' not used: '{value}' is none of train, val, test"]
    raise UserError(
        f"{table.path}, line {table.lines[wrong[0]]}: the {name} is '{value}', expected train, val "
        f"or test ({len(wrong):,} of {len(splits):,} are none); correct them, or rename the column"
    )
