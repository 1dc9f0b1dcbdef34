"""Hugging Face's `datasets`: loaded by name or path, with our names of splits and columns."""

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.data.paths import not_found
from zoo.data.tables.csv_file import sort_labels
from zoo.errors import UserError, unknown_name
from zoo.files import user_path
from zoo.phrases import plural

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
LOADERS = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".txt": "text",
    ".parquet": "parquet",
}  # fmt: skip
WORDS = {"keep_default_na": False, "na_values": [""]}  # "NA", "null" and "None" are texts
TABLES = {".csv": WORDS, ".tsv": WORDS | {"sep": "\t"}}
Rows = Any  # datasets.Dataset: an Arrow table, mapped from the disk


def load(
    path: str | None, subset: str | None, online: bool = True
) -> tuple[dict[str, Rows], list[str]]:
    """The splits "train" and, where the dataset has them, "val" and "test"; and notes.

    Args:
        path: A name on the hub (`imdb`, `stanfordnlp/sst2`), a folder, or a file of CSV, JSON,
            Parquet or text.
        subset: Which of several configurations.
        online: Whether the hub may be asked; else a name must be in the cache of this machine.

    Raises:
        UserError: `datasets` is not installed, no such dataset or subset, no training split.
    """
    if path is None:
        raise UserError(
            "data.path is missing: the name of a Hugging Face dataset, or a file or folder; e.g. "
            "data.path=imdb"
        )
    published = _load(path, subset, online)
    splits: dict[str, Rows] = {}
    other = []
    for name, rows in published.items():
        split = SPLITS.get(str(name).lower())
        if split is None or split in splits:
            other.append(f"{name} ({plural(len(rows), 'row')})")
        else:
            splits[split] = rows
    if "train" not in splits:
        names = ", ".join(map(str, published))
        raise UserError(f"{path}: no split named train (there are: {names})")
    return splits, [f"{path}: splits not used: {', '.join(other)}"] if other else []


def _load(path: str, subset: str | None, online: bool) -> Mapping[str, Rows]:
    try:
        import datasets
    except ImportError:
        raise UserError(
            "data=hf needs the package 'datasets': pip install --editable '.[hf]'"
        ) from None
    local = user_path(path)
    if not local.exists() and (local.is_absolute() or path.startswith((".", "~"))):
        raise not_found(local)
    datasets.disable_progress_bars()
    try:
        if local.is_file():
            return _load_file(datasets, local, path)
        with contextlib.nullcontext() if online else _offline(datasets):
            return datasets.load_dataset(str(local) if local.is_dir() else path, subset)
    except UserError:
        raise
    except Exception as error:  # of the hub, of files, of Arrow: nearly every type
        if not online and not local.exists():
            raise UserError(
                f"the run's data, '{path}' of the Hugging Face Hub, is not in the cache of this "
                f"machine, and a name in a run's config is not looked up on the network; if you "
                f"trust it: hf download --repo-type dataset {shlex.quote(path)}"
            ) from None
        reason = " ".join(str(error).split()) or type(error).__name__
        if "BuilderConfig" in reason or "onfig name" in reason:
            reason += "; set data.subset"
        raise UserError(f"data.path={path} cannot be loaded: {reason[:400]}") from None


def _load_file(datasets: Any, file: Path, path: str) -> Any:
    ending = file.suffix.lower()
    if ending not in LOADERS:
        raise UserError(f"{path}: unknown kind of file; expected one of {', '.join(LOADERS)}")
    options = TABLES.get(ending, {})
    return datasets.load_dataset(LOADERS[ending], data_files=str(file), **options)


@contextlib.contextmanager
def _offline(datasets: Any) -> Iterator[None]:
    """No request leaves the machine; both packages read these settings at each call."""
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def column(rows: Rows, name: str | None, option: str, usual: tuple[str, ...]) -> str:
    """The column that an option names, by default the first of the usual ones that exists.

    `translation.de` names a field of a column of several.

    Raises:
        UserError: No such column, or none named and none of the usual ones.
    """
    names = list(rows.column_names)
    for outer in rows.column_names:
        feature = rows.features[outer]
        fields = feature if isinstance(feature, dict) else getattr(feature, "languages", None)
        names += [f"{outer}.{field}" for field in fields or ()]
    if name is None:
        default = next((candidate for candidate in usual if candidate in names), None)
        if default is None:
            raise UserError(f"{option} is missing: which column? (one of: {', '.join(names)})")
        return default
    if name not in names:
        raise UserError(f"{option}: {unknown_name('column', name, names)}")
    return name


def values(rows: Rows, name: str) -> list[Any]:
    """All cells of a column, or of one of its fields."""
    if name in rows.column_names:
        return list(rows[name])
    outer, _, inner = name.partition(".")
    return [cell[inner] for cell in rows[outer]]


def texts(rows: Rows, name: str, option: str) -> list[str]:
    """The cells of a column of texts; an empty cell is an empty text.

    Raises:
        UserError: The cells are something else.
    """
    cells = ["" if cell is None else cell for cell in values(rows, name)]
    for cell in cells:
        if not isinstance(cell, str):
            kind = type(cell).__name__
            raise UserError(f"{option}: the column '{name}' holds {kind}s, expected texts")
    return cells


def filled(
    splits: Mapping[str, Rows], columns: Mapping[str, str], notes: list[str]
) -> dict[str, dict[int, tuple[str, ...]]]:
    """The texts of several columns, by split and number of the row, without rows that lack one.

    Args:
        splits: Rows by split.
        columns: Names by the option that gives them.
        notes: A line is added on the rows that are left out.

    Raises:
        UserError: The cells are something else, or no row has all texts.
    """
    found = {}
    for split, rows in splits.items():
        sides = (texts(rows, name, option) for option, name in columns.items())
        whole = enumerate(zip(*sides, strict=True))
        found[split] = {row: own for row, own in whole if all(map(str.strip, own))}
    left = sum(map(len, found.values()))
    if not left:
        options, names = " and ".join(columns), " or ".join(map(repr, columns.values()))
        raise UserError(f"{options}: {names} is empty in every row")
    if empty := sum(map(len, splits.values())) - left:
        notes.append(f"{plural(empty, 'row')} without a text left out")
    return found


def classes(
    splits: Mapping[str, Rows], name: str, kept: Mapping[str, Iterable[int]] | None = None
) -> tuple[list[int], list[str]]:
    """The class number of each row, split after split, and the names of the classes.

    Args:
        splits: Rows by split.
        name: The column.
        kept: Numbers of the rows to read; None for all.

    Raises:
        UserError: A row without a class, or fewer than two classes.
    """
    names = getattr(splits["train"].features.get(name), "names", None)
    cells = []
    for split, rows in splits.items():
        column_cells = values(rows, name)
        for row in range(len(column_cells)) if kept is None else kept[split]:
            _check_class(column_cells[row], name, row, split)
            cells.append(column_cells[row])
    if names is None:
        names = sort_labels({str(cell) for cell in cells})
        number = {label: i for i, label in enumerate(names)}
        labels = [number[str(cell)] for cell in cells]
    else:
        labels = [int(cell) for cell in cells]
    if len(names) < 2:
        raise UserError(f"data.target: the column '{name}' is '{names[0]}' in every row")
    if 2 * len(names) > len(labels) and len(names) > 20:
        raise UserError(
            f"data.target: the column '{name}' has {len(names):,} distinct values in "
            f"{len(labels):,} rows; expected classes that repeat"
        )
    return labels, list(names)


def _check_class(cell: Any, name: str, row: int, split: str) -> None:
    """Raise where a cell of the column is no class."""
    if cell is None or cell == -1 or cell != cell or not str(cell).strip():  # noqa: PLR0124
        raise UserError(f"data.target: row {row} of the {split} split has no class in '{name}'")
    if isinstance(cell, list | tuple | dict):
        raise UserError(
            f"data.target: '{name}' holds several values a row (row {row} of the {split} split: "
            f"{str(cell)[:60]}); data=hf reads one class of each; write them into a CSV file as "
            f"a;b, for data=csv, text_csv or image_folder with data.kind=multi_label"
        )
