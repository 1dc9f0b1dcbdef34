"""Errors that a user can correct, in one line, with the closest valid name to suggest."""

import contextlib
import difflib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from zoo.terminal import remark

WORD, MESSAGE = 300, 2_000  # characters of what an error quotes


class UserError(Exception):
    """A user's mistake: one line with the value given, what was expected, and the fix.

    The command line prints the message without a traceback and exits with code 2.
    """

    def __str__(self) -> str:
        return shortened(printable(" ".join(super().__str__().split())))  # whatever was quoted


def printable(text: str) -> str:
    """The text with codes for what moves the cursor, turns the direction, or is no UTF-8."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str) -> str:
    """The text without the middle of what is too long: of words, and of itself."""
    text = re.sub(rf"\S{{{WORD},}}", lambda word: _ends(word[0], WORD // 2), text)
    return _ends(text, MESSAGE // 2) if len(text) > MESSAGE else text


def _ends(text: str, each: int) -> str:
    return f"{text[:each]}[... {len(text) - 2 * each:,} characters ...]{text[-each:]}"


class MissingFact(UserError):
    """A component asks for a fact that the data does not state."""

    def __init__(self, kind: str, name: str, fact: str) -> None:
        super().__init__(f"{kind}={name} needs '{fact}', which the chosen data does not state")
        self.kind, self.name, self.fact = kind, name, fact


class TrainingFailed(Exception):
    """Training cannot continue (a loss that is not finite, say); exit code 1."""


def place_of(error: BaseException) -> str:
    """`my_models.py, line 12`: where an error came from, outside of installed packages."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((f for f in reversed(frames) if "site-packages" not in f.filename), frames[-1])
    return f"{os.path.basename(last.filename)}, line {last.lineno}"  # noqa: PTH119


def report(work: Callable[[], int | None]) -> int:
    """Run `work`; turn the errors that a user can correct into one line and an exit code.

    What the terminal has no character for (a name that is not UTF-8, Chinese in an old code page)
    is printed as its code.
    """
    _prepare_streams()
    try:
        _check_folder()
        code = work() or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        remark(f"error: {error}")
        return 2
    except TrainingFailed as error:
        remark(f"failed: {error}")
        return 1
    except BrokenPipeError:  # the reader of our output (`| head`) is gone
        _drop_output()
        return 141
    except OSError as error:
        if not _is_full(sys.stdout):
            raise
        _drop_output()
        remark(f"error: the output cannot be written: {error.strerror or error}")
        return 1


def _prepare_streams() -> None:
    """Closed streams (`>&-`) lead nowhere; others print what they lack as codes."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            descriptor = os.open(os.devnull, os.O_WRONLY)
            if descriptor != number:  # no file of ours may get the number of a stream
                os.dup2(descriptor, number)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # what it leads to was exchanged after its opening
                stream.reconfigure(errors="backslashreplace")


def _check_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        raise UserError("the folder that this was started in is gone; cd to another") from None


def _is_full(stream: TextIO) -> bool:
    """Whether a stream refuses what is written: a full disk, a closed terminal."""
    try:
        stream.write("\n")
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def _drop_output() -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def closest_match(name: str, valid: Iterable[str]) -> str | None:
    """The valid name closest to `name`, or None when nothing is close.

    Dotted names are compared by their last part first: `lr` and `optin.lr` find `optim.lr`,
    `trainer.max_step` finds `trainer.max_steps`, and nothing is close for its group alone.
    """
    names = list(valid)
    if same := [known for known in names if known.casefold() == name.casefold() != ""]:
        return name if name in same else same[0]
    parent, _, leaf = name.rpartition(".")
    leaves: dict[str, list[str]] = {}
    for known in names:
        leaves.setdefault(known.rpartition(".")[2], []).append(known)
    if leaf not in leaves:
        siblings = [n.rpartition(".")[2] for n in names if parent and n.startswith(f"{parent}.")]
        if not siblings and (dotted := _closest(name, names)):
            return dotted
        leaf = _closest(leaf, siblings) or _closest(leaf, leaves, 0.8) or leaf
    return max(leaves.get(leaf, []), key=lambda known: _similarity(known, name), default=None)


def _closest(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)), None)


def _similarity(first: str, second: str) -> float:
    return difflib.SequenceMatcher(None, first, second).ratio()


def unknown_name(what: str, name: str, valid: Iterable[str]) -> str:
    """`unknown model 'mlpp'; did you mean 'mlp'? (one of: cnn, mlp)` for any kind of name."""
    names = sorted(valid)
    guess = closest_match(name, names)
    hint = f"; did you mean '{guess}'?" if guess else ""
    return f"unknown {what} '{name}'{hint} (one of: {', '.join(names) or 'none'})"


def need_images(model: str, shape: Sequence[int]) -> None:
    """Check that one sample has the shape (channels, height, width).

    Raises:
        UserError: It is another.
    """
    if len(shape) != 3:
        raise UserError(
            f"model={model} needs images of shape (channels, height, width), got samples of shape "
            f"{tuple(shape)}; use model=mlp for tables"
        )
