"""Hugging Face's `datasets`: found by name or path, splits and columns under our names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data.paths import not_found
from zoo.errors import UserError, unknown_name

PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
LOADERS = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".txt": "text",
    ".parquet": "parquet",
}  # fmt: skip
Rows = Any  # datasets.Dataset: an Arrow table, mapped from the disk


def load(path: str | None, subset: str | None) -> tuple[dict[str, Rows], list[str]]:
    """The splits "train" and, where the dataset has them, "val" and "test"; and notes.

    Args:
        path: A name on the hub (`imdb`, `stanfordnlp/sst2`), a folder, or a file of CSV, JSON,
            Parquet or text.
        subset: Which of several configurations.

    Raises:
        UserError: `datasets` is not installed, no such dataset or subset, no training split.
    """
    if path is None:
        raise UserError(
            "data.path is missing: the name of a Hugging Face dataset, or a file or folder; e.g. "
            "data.path=imdb"
        )
    found = _load(path, subset)
    parts: dict[str, Rows] = {}
    other = []
    for name, rows in found.items():
        part = PARTS.get(str(name).lower())
        if part is None or part in parts:
            other.append(f"{name} ({len(rows):,} rows)")
        else:
            parts[part] = rows
    if "train" not in parts:
        raise UserError(f"{path}: no split named train (there are: {', '.join(map(str, found))})")
    return parts, [f"{path}: splits left aside: {', '.join(other)}"] if other else []


def _load(path: str, subset: str | None) -> Mapping[str, Rows]:
    try:
        import datasets
    except ImportError:
        raise UserError(
            "data=hf needs the package 'datasets': pip install --editable '.[hf]'"
        ) from None
    place = Path(path).expanduser()
    if not place.exists() and (place.is_absolute() or path.startswith((".", "~"))):
        raise not_found(place)
    datasets.disable_progress_bars()
    try:
        if place.is_file():
            if place.suffix.lower() not in LOADERS:
                kinds = ", ".join(LOADERS)
                raise UserError(f"{path}: unknown kind of file; expected one of {kinds}")
            options = {"sep": "\t"} if place.suffix.lower() == ".tsv" else {}
            kind = LOADERS[place.suffix.lower()]
            return datasets.load_dataset(kind, data_files=str(place), **options)
        return datasets.load_dataset(str(place) if place.is_dir() else path, subset)
    except UserError:
        raise
    except Exception as error:  # of the hub, of files, of Arrow: nearly every type
        reason = " ".join(str(error).split()) or type(error).__name__
        if "BuilderConfig" in reason or "onfig name" in reason:
            reason += "; set data.subset"
        raise UserError(f"data.path={path} cannot be loaded: {reason[:400]}") from None


def column(rows: Rows, name: str | None, option: str, usual: tuple[str, ...]) -> str:
    """The column that an option names; of none, the first of the usual ones that is there.

    `translation.de` names a field of a column of several.

    Raises:
        UserError: No such column, or none named and none usual.
    """
    names = list(rows.column_names)
    for one in rows.column_names:
        feature = rows.features[one]
        fields = feature if isinstance(feature, dict) else getattr(feature, "languages", None)
        names += [f"{one}.{field}" for field in fields or ()]
    if name is None:
        found = next((one for one in usual if one in names), None)
        if found is None:
            raise UserError(f"{option} is missing: which column? (one of: {', '.join(names)})")
        return found
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
    found = ["" if cell is None else cell for cell in values(rows, name)]
    for one in found:
        if not isinstance(one, str):
            kind = type(one).__name__
            raise UserError(f"{option}: the column '{name}' holds {kind}s, expected texts")
    return found


def classes(parts: Mapping[str, Rows], name: str) -> tuple[list[int], list[str]]:
    """The class number of each row, split after split, and the names of the classes.

    Raises:
        UserError: A row without a class, or fewer than two classes.
    """
    first = parts["train"]
    names = getattr(first.features.get(name), "names", None)
    cells = {split: values(rows, name) for split, rows in parts.items()}
    for split, found in cells.items():
        if (at := next((i for i, c in enumerate(found) if c is None or c == -1), None)) is not None:
            raise UserError(f"data.target: row {at} of the {split} split has no class in '{name}'")
    if names is None:
        from zoo.data.datasets.csv import in_order

        names = in_order({str(cell) for found in cells.values() for cell in found})
        number = {one: i for i, one in enumerate(names)}
        labels = [number[str(cell)] for found in cells.values() for cell in found]
    else:
        labels = [int(cell) for found in cells.values() for cell in found]
    if len(names) < 2:
        raise UserError(f"data.target: the column '{name}' is '{names[0]}' in every row")
    if 2 * len(names) > len(labels) and len(names) > 20:
        raise UserError(
            f"data.target: the column '{name}' has {len(names):,} distinct values in "
            f"{len(labels):,} rows; expected classes that repeat"
        )
    return labels, list(names)
