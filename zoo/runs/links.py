"""Run folders that came from elsewhere: nothing in them may lead a write out of them."""

import os
from pathlib import Path

from zoo.errors import UserError


def refuse_links(folder: Path, option: str) -> None:
    """Check a folder that is going to be written on.

    Args:
        folder: Of a run or a sweep; that it is a link itself is the user's choice.
        option: Names the folder in messages: `resume`.

    Raises:
        UserError: Something in it is a link to a place outside, or is neither file nor folder.
    """
    root = folder.resolve()
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                target = path.resolve()
                if root not in target.parents:
                    raise UserError(
                        f"{option}={folder}: {path.relative_to(root)} is a link to {target}, "
                        f"outside of the folder, which would be changed there; replace the link "
                        f"by a copy"
                    )
            elif not (path.is_file() or path.is_dir()):
                raise UserError(
                    f"{option}={folder}: {path.relative_to(root)} is neither a file nor a folder; "
                    f"remove it"
                )
