"""Answers of tasks to texts: continuations, translations, blanks that are filled."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UserError, closest_match
from zoo.schema import matches_type, out_of_bounds, parameters, type_mismatch

if TYPE_CHECKING:
    from zoo.restore import Restored, Warn

Row = dict[str, Any]
Respond = Callable[..., Iterator[Row]]
Read = Callable[[Any, Any], Any]
"""From a value as it was given, and the type of its option, to the value."""
OPTIONS = "options"  # to choose from
NOT_OPTIONS = ("model", "input", "batch", "classes", "generator")  # what the caller gives


def unread(value: Any, annotation: Any) -> Any:
    """A value of Python, as it is."""
    return value


def respond_of(
    restored: "Restored", warn: "Warn" = print, given: Iterable[str] = ()
) -> Respond | None:
    """What answers a text, or finds images and captions for each other; None for tasks that predict
    samples.

    Args:
        restored: The run.
        warn: Called with what is said of images and captions.
        given: Names of the options: with `options` it is asked which of them answers the text.

    Raises:
        UserError: The task cannot say that.
    """
    from zoo.tasks.capabilities import Matches, Ranks, Responder

    if OPTIONS in given:
        if isinstance(restored.task, Ranks):
            return restored.task.rank
        raise UserError(
            f"options= is for causal language models, which continue a text; this run has "
            f"task={restored.config.task['name']}"
        )

    if isinstance(restored.task, Matches):
        from zoo.commands.matches import Matcher

        return Matcher(restored, warn).respond
    return restored.task.respond if isinstance(restored.task, Responder) else None


def bind(
    respond: Callable[..., Any] | None,
    given: Mapping[str, Any],
    read: Read = unread,
    others: Sequence[str] = (),
) -> Row:
    """Options for a task's `respond`, `draw` or `redraw`, checked against its signature.

    Args:
        respond: Of the task; None takes no options.
        given: By name.
        read: Of the values as given.
        others: Options that the caller takes besides, for messages.

    Raises:
        UserError: An unknown option, a value of a wrong type.
    """
    schema = parameters(respond) if respond else {}
    schema = {name: p for name, p in schema.items() if name not in NOT_OPTIONS}
    chosen = {name: p.default for name, p in schema.items() if name == "top"}
    for name, value in given.items():
        if name not in schema:
            valid = [*others, *(option for option in schema if option not in others)]
            guess = closest_match(name, valid)
            hint = f"; did you mean '{guess}='?" if guess else ""
            listed = f"options: {'=, '.join(valid)}=" if valid else "it has no options"
            raise UserError(f"unknown option '{name}={value}'{hint} ({listed})")
        chosen[name] = read(value, schema[name].annotation)
        if not matches_type(chosen[name], schema[name].annotation):
            raise UserError(type_mismatch(name, chosen[name], schema[name].annotation))
        if (expected := out_of_bounds(chosen[name], schema[name].annotation)) is not None:
            raise UserError(f"{name}: got {chosen[name]}, expected {expected}")
    return chosen


def answer(
    restored: "Restored",
    text: str,
    chosen: Row,
    warn: "Warn",
    messages: Sequence[Mapping[str, str]] | None = None,
) -> Iterator[Row]:
    """The task's answer to a text: rows, with `text` where it is generated piece by piece.

    Args:
        restored: The run.
        text: The input.
        chosen: Options of the task's `respond`.
        warn: Called with what is said of the input.
        messages: Of a conversation, of which the text is the last.

    Raises:
        UserError: A text or an option that the task refuses.
    """
    import torch

    from zoo.tasks.capabilities import Responder

    respond = respond_of(restored, warn, chosen)
    assert respond is not None
    given = text if messages is None else list(messages)
    with torch.no_grad(), restored.precision.autocast():
        for number, row in enumerate(respond(restored.model, given, **chosen)):
            is_text = isinstance(restored.task, Responder)
            if number == 0 and is_text:  # what is refused gets its error alone
                _warn_of(restored, text, warn)
            yield row


def _warn_of(restored: "Restored", text: str, warn: "Warn") -> None:
    """Say what of a text the model cannot know, and that a file is none."""
    with contextlib.suppress(OSError, ValueError):  # a long text is no name
        if Path(text).is_file():
            lines = f"for its lines: input=- < {shlex.quote(text)}"
            warn(f"'{text}' is taken as a text, though a file has this name; {lines}")
    tokenizer, words = restored.encoding.tokenizer, getattr(restored.encoding, "words", None)
    if words is not None:  # of sentences with tags, cut otherwise than at spaces
        text = " ".join(words(text))
    if tokenizer is not None and tokenizer.knows_nothing(text):
        warn("the run's vocabulary knows nothing of the text: the answer does not depend on it")


def joined(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with whole texts: pieces follow each other as long as all else stays the same."""
    for name, group in groupby(rows, same_text):
        if name is None:
            yield from group
        else:
            pieces = list(group)
            yield pieces[0] | {"text": "".join(row["text"] for row in pieces)}


def same_text(row: Row) -> tuple[tuple[str, Any], ...] | None:
    """What pieces of one text have in common (`sample`); None for a row that is whole."""
    if "text" not in row:
        return None
    return tuple((key, value) for key, value in row.items() if key != "text")
