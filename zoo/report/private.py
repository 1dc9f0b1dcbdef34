"""What a report does not tell of the machine: where the run's folder and the home folder lie."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Names:
    """Texts by which paths are replaced, the longest path first."""

    replaced: tuple[tuple[str, str], ...]
    of_folder: str

    @classmethod
    def of(cls, folder: Path) -> "Names":
        """For the texts of a run or a sweep: its own folder by its name, the home folder by ~."""
        # Links stay as they were typed; where there is no home folder, `~` stays.
        absolute = os.path.abspath(folder)  # noqa: PTH100
        known = {absolute: folder.resolve().name, str(folder.resolve()): folder.resolve().name}
        home = os.path.expanduser("~")  # noqa: PTH111
        if len(home) > 1 and home != "~":
            known[home] = "~"
        if len(folder.parts) > 1:
            known[str(folder)] = folder.resolve().name
        longest_first = sorted(known.items(), key=lambda pair: -len(pair[0]))
        return cls(tuple(longest_first), folder.resolve().name)

    def hidden(self, text: str) -> str:
        """The text with the paths replaced."""
        for path, name in self.replaced:
            text = text.replace(path, name)
        return text
