"""Paths that a user gives: whether they exist, and the error where they do not."""

from pathlib import Path

from zoo.errors import UserError, closest_match


def exists(path: str | Path) -> bool:
    """Whether there is a file or folder; a text that cannot be a name, being too long, is none."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def is_file(path: str | Path) -> bool:
    """Whether there is a file; a text that cannot be a name is none."""
    return exists(path) and Path(path).is_file()


def not_found(path: Path) -> UserError:
    """`photo: no such file or folder; did you mean 'photos'?`"""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    guess = closest_match(path.name, siblings)
    hint = f"; did you mean '{path.parent / guess}'?" if guess else ""
    if not guess and not path.parent.is_dir():
        hint = f" (the folder {path.parent} does not exist)"
    return UserError(f"{path}: no such file or folder{hint}")
