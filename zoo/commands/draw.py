"""Images that a generative model draws or changes: what `predict.py` does with `out=`."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.commands.answers import Read, bind, unread
from zoo.commands.drawn import Drawn, free_path
from zoo.errors import UserError, unknown_name
from zoo.program import spelled

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from zoo.restore import Restored, Warn

KEYS = ("samples", "out", "class", "seed")
SAMPLES = 16
MOST_SAMPLES = 1_000_000
COLUMNS = 10  # of a grid of inputs and what became of them


def draws(restored: "Restored") -> bool:
    """Whether the run's task draws images."""
    from zoo.tasks.capabilities import DrawsImages

    return isinstance(restored.task, DrawsImages)


def draw(
    restored: "Restored",
    samples: int = SAMPLES,
    classes: str | Sequence[str] | None = None,
    seed: int = 0,
    given: Mapping[str, Any] | None = None,
    read: Read = unread,
) -> Drawn:
    """New images.

    Args:
        restored: The run.
        samples: How many.
        classes: The class, or several that take turns; None for all of them in turn.
        seed: The same seed draws the same images; a larger number of them begins with the same.
        given: Options of the task's `draw`, by name.
        read: As of `bind`.

    Raises:
        UserError: The task draws nothing, an unknown class or option.
    """
    import torch

    from zoo.tasks.capabilities import DrawsImages
    from zoo.tasks.drawing import draw_all
    from zoo.training.runtime import forked_rng

    task = restored.task
    if not isinstance(task, DrawsImages):
        raise UserError(f"task={restored.config.task['name']} draws no images; give it an input")
    options = bind(task.draw, given or {}, read, ["run", *KEYS])
    numbers = _numbers(task.class_names, classes)
    if not isinstance(samples, int) or not 1 <= samples <= MOST_SAMPLES:
        raise UserError(f"samples={samples}: expected 1 to {MOST_SAMPLES:,}")
    if not 0 <= seed < 2**63:
        raise UserError(f"seed={seed}: expected a whole number, 0 or more")
    wanted = torch.tensor(numbers)[torch.arange(samples) % len(numbers)]
    generator = torch.Generator().manual_seed(seed)
    with (
        torch.no_grad(),
        forked_rng(restored.runtime.device, seed),
        restored.precision.autocast(),
    ):
        pixels = draw_all(task, restored.model, wanted, generator, **options)
    names = task.class_names
    return Drawn(pixels, [names[k] for k in wanted.tolist()] if names else [])


def _numbers(names: Sequence[str], classes: str | Sequence[str] | None) -> list[int]:
    """The numbers of classes that take turns."""
    if classes is None:
        return list(range(len(names))) or [0]
    is_one = isinstance(classes, str) or not isinstance(classes, Iterable)
    wanted = [str(name) for name in ([classes] if is_one else classes)]  # digits may be numbers
    if not names:
        raise UserError(f"class={wanted[0]}: the model was trained without classes; leave it out")
    for name in wanted:
        if name not in names:
            raise UserError(unknown_name("class", name, names))
    return [list(names).index(name) for name in wanted] or list(range(len(names)))


def redraw(
    restored: "Restored",
    inputs: Sequence[Any],
    seed: int = 0,
    given: Mapping[str, Any] | None = None,
    read: Read = unread,
    warn: "Warn" = print,
) -> Drawn:
    """Images changed: above each input, below what the model makes of it.

    Args:
        restored: The run.
        inputs: Of its encoding: image files, folders, what of Python it takes.
        seed: Of what is drawn at random.
        given: Options of the task's `redraw`, by name.
        read: As of `bind`.
        warn: Called with what is said of the inputs.

    Raises:
        UserError: The task changes no images, an unknown option, inputs that cannot be read.
    """
    import torch

    from zoo.tasks.capabilities import Redraws
    from zoo.training.runtime import forked_rng

    task, device = restored.task, restored.runtime.device
    if not isinstance(task, Redraws):
        name = restored.config.task["name"]
        raise UserError(f"task={name} writes no images of an input; leave out= away")
    options = bind(task.redraw, given or {}, read, ["run", "input", "out", "seed"])
    names, stored, notes = restored.read(inputs)
    for note in notes:
        warn(note)
    batch = restored.encoding.prepare({n: column.to(device) for n, column in stored.items()})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad(), forked_rng(device, seed), restored.precision.autocast():
        pixels = task.redraw(restored.model, batch, generator, **options)
    return _in_pairs(stored["input"].cpu(), pixels)


def _in_pairs(before: "Tensor", after: "Tensor") -> Drawn:
    """Rows of inputs, each above a row of what became of them."""
    import torch

    columns = min(COLUMNS, len(before))
    missing = -len(before) % columns
    empty = torch.full((missing, *before.shape[1:]), 128, dtype=torch.uint8)  # as between images
    rows = [torch.cat([images, empty]).split(columns) for images in (before, after)]
    pairs = torch.cat([row for pair in zip(*rows) for row in pair])
    return Drawn(pairs, columns=columns, made=after)


def to_files(
    restored: "Restored", given: dict[str, str], inputs: Sequence[str], read: Read, warn: "Warn"
) -> tuple[list[dict[str, Any]], str]:
    """What `predict.py` writes: the rows for `json=true`, and lines for a reader.

    Args:
        restored: The run.
        given: Options as typed; those that are meant for this are taken out.
        inputs: Images to change; empty to draw new ones.
        read: As of `bind`.
        warn: Called with what is said of the inputs.

    Raises:
        UserError: `out=` is missing or taken, an option that is for new images beside inputs, and
            what `draw` and `redraw` refuse.
    """
    if not given.get("out"):
        raise UserError("out= is missing: a file such as out=grid.png, or a folder for many images")
    if inputs and (unused := [name for name in ("samples", "class") if name in given]):
        raise UserError(
            f"{unused[0]}={given[unused[0]]} is for new images, and input= names some to change; "
            f"leave one of them out"
        )
    out, wanted = given.pop("out"), given.pop("class", None)
    path = free_path(out)  # before anything is drawn
    samples, seed = _whole(given, "samples", SAMPLES), _whole(given, "seed", 0)
    if inputs:
        drawn = redraw(restored, inputs, seed, given, read, warn)
        given.clear()
        rows = drawn.save(out)
        if path.is_dir():
            return rows, f"{len(rows):,} images in {path}, in the order of the inputs"
        return rows, f"{path}: above the inputs, below what the model makes of them"
    drawn = draw(restored, samples, wanted, seed, given, read)
    rows = drawn.save(out)
    if len(rows) == 1 and path.is_file():
        rows = [rows[0] | {"samples": samples, "seed": seed, "classes": drawn.counts()}]
        return rows, f"{samples:,} images in {path}"
    return rows, f"{samples:,} images in {path}{_how_to_train(drawn, path)}"


def _whole(given: dict[str, str], name: str, default: int) -> int:
    text = given.pop(name, str(default))
    if not text.isdecimal():
        raise UserError(f"{name}={text}: expected a whole number")
    return int(text)


def _how_to_train(drawn: Drawn, path: "Path") -> str:
    """The command that trains on what was drawn, if it has classes."""
    if not drawn.classes:
        return ""
    channels, height, width = drawn.pixels.shape[1:]
    size = f"{height}" if height == width else f"[{height},{width}]"
    words = ["data=image_folder", f"data.path={path}", f"data.size={size}"]
    command = shlex.join(["python", "train.py", *words, f"data.channels={channels}"])
    return spelled(f"\ntrain on them: {command}")
