"""The error for a path that does not exist."""

from pathlib import Path

from zoo.errors import UserError, closest_match


def not_found(path: Path) -> UserError:
    """`photo: no such file or folder; did you mean 'photos'?`"""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    guess = closest_match(path.name, siblings)
    hint = f"; did you mean '{path.parent / guess}'?" if guess else ""
    if not guess and not path.parent.is_dir():
        hint = f" (the folder {path.parent} does not exist)"
    return UserError(f"{path}: no such file or folder{hint}")
