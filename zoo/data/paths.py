"""What to say of a path that is not there."""

from pathlib import Path

from zoo.errors import UserError, closest_match


def not_found(path: Path) -> UserError:
    """`photo: no such file or folder; did you mean 'photos'?`"""
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    guess = closest_match(path.name, beside)
    hint = f"; did you mean '{path.parent / guess}'?" if guess else ""
    if not guess and not path.parent.is_dir():
        hint = f" (nor is there a folder {path.parent})"
    return UserError(f"{path}: no such file or folder{hint}")
