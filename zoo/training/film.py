"""A film of a run: one frame at each of its validations, or at some of very many."""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

MOST = 40  # frames; of more, every second one is dropped, and from then on as few are added
SIZE = (300, 200)  # pixels
COLOURS = 32
SECONDS, LAST_SECONDS = 0.25, 2.0  # that a frame is shown
SUFFIX = "_film"


class Film:
    """Frames in a folder, `<step>.png`, and the film `<folder>.gif` beside it.

    Its files are its only state, so a resumed run continues with the frames that there are.

    Args:
        folder: Of the frames; its name ends in `_film`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def frames(self) -> dict[int, Path]:
        """The files by their steps, in order."""
        return {int(path.stem): path for path in sorted(self.folder.glob("*.png"))}

    def wants(self, step: int) -> bool:
        """Whether it is later than the last frame, and by enough once there are many."""
        steps = list(self.frames())
        if len(steps) < MOST // 2:
            return not steps or step > steps[-1]
        return step - steps[-1] >= median(after - before for before, after in pairwise(steps))

    def add(self, step: int, png: bytes) -> None:
        """One more frame, in fewer colours."""
        from PIL import Image

        frames = list(self.frames().values())
        for path in frames[1::2] if len(frames) >= MOST else []:
            path.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        few = picture.quantize(2 * COLOURS, dither=Image.Dither.NONE)
        few.save(self.folder / f"{step:09d}.png")

    def cut(self, step: int) -> None:
        """Drop the frames after a step."""
        for other, path in self.frames().items():
            if other > step:
                path.unlink()

    def write(self) -> None:
        """Make the film of the frames."""
        from PIL import Image

        pictures = []
        for path in self.frames().values():
            small = Image.open(path).convert("RGB").resize(SIZE, Image.Resampling.BOX)
            pictures.append(small.quantize(COLOURS, dither=Image.Dither.NONE))
        if pictures:
            seconds = [SECONDS] * (len(pictures) - 1) + [LAST_SECONDS]
            pictures[0].save(
                self.folder.with_suffix(".gif"),
                save_all=True,
                append_images=pictures[1:],
                duration=[round(1000 * second) for second in seconds],
                loop=0,
            )


def films_of(previews: Path) -> Iterator[Film]:
    """The films in a run's folder of previews."""
    yield from (Film(folder) for folder in sorted(previews.glob(f"*{SUFFIX}")))
