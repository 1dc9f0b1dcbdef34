"""Images and classes that a CSV file lists, found again however their paths are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.images.files import EXTENSIONS, images_under
from zoo.data.images.index import ImageIndex
from zoo.data.images.layout import split_of
from zoo.data.labels import find_separator
from zoo.data.paths import not_found
from zoo.data.tables.csv_file import Table, read_csv
from zoo.errors import UserError
from zoo.files import user_path

PATH_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "image_id", "id")
LABEL_NAMES = ("label", "class", "target", "category")


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
    csv_path = root / labels if (root / labels).is_file() else user_path(labels)
    table = read_csv(csv_path)
    columns = [_column(table, names) for names in (PATH_NAMES, LABEL_NAMES)]
    splits, notes = _splits(table)
    index, finder = ImageIndex(notes=[*table.notes, *notes]), _Finder((root, csv_path.parent))
    if several:
        index.separator = find_separator(list(_cells(table, columns[1])), separator)
    problems: list[str] = []
    line_of: dict[Path, int] = {}
    rows = zip(_cells(table, columns[0]), _cells(table, columns[1]), splits, table.lines)
    for path, label, split, line in rows:
        try:
            file = _find(finder, root, path, label or ("none" if several else ""), line_of)
        except UserError as error:
            problems.append(f"line {line}: {error}")
            continue
        line_of[file] = line
        index.add([file], label, split)
    if problems:
        more = f"; {len(problems) - 3:,} more lines" if len(problems) > 3 else ""
        raise UserError(f"{csv_path}, {'; '.join(problems[:3])}{more}")
    if finder.changed:
        index.notes.append(
            f"{finder.changed:,} of {len(index.files):,} paths of {csv_path.name} are not written "
            "as the files are named (\\ for /, another case, no extension or folder): found by name"
        )
    if any(splits):
        index.settle_splits(f"the split train of {csv_path}", is_new)
    return index


def _find(finder: _Finder, root: Path, path: str, label: str, line_of: dict[Path, int]) -> Path:
    if not path or not label:
        raise UserError(f"the {'label' if path else 'path'} is missing")
    file = finder.find(path)
    if file is None:
        raise not_found(root / path)
    if file in line_of:
        raise UserError(f"{path} was already on line {line_of[file]}")
    return file


def _column(table: Table, names: tuple[str, ...]) -> str:
    """The column of one of the usual names, the first of which is ours.

    Raises:
        UserError: None, or several.
    """
    by_lower = {name.lower(): name for name in table.header}
    found = [by_lower[name] for name in names if name in by_lower]
    if names[0] in by_lower or len(found) == 1:
        return by_lower.get(names[0], found[0])
    raise UserError(
        f"{table.path}: no column '{names[0]}' (there are: {', '.join(table.header)}); "
        "expected a header with path and label"
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
