"""Texts that a user types or pipes into a command, a line each."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.errors import UserError


def each_input(inputs: Sequence[str], blank: bool, as_texts: bool) -> Iterator[Any]:
    """The inputs in turn, each line of the standard input in place of `-`.

    Args:
        inputs: As typed.
        blank: Whether an empty line is an input too; files are read without.
        as_texts: Whether a line is `[line]`: a text, though a file may have that name.
    """
    for given in inputs:
        for text in texts(given):
            if given != "-" or blank or text.strip():
                yield [text] if given == "-" and as_texts else text


def texts(text: str) -> Iterator[str]:
    """The input, or with `-` each line of the standard input; a terminal is shown a prompt.

    Raises:
        UserError: The standard input is not UTF-8.
    """
    if text != "-":
        yield text
        return
    mark = "\ufeff"  # of the byte order, before the first line
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise UserError(
                f"input=-: the standard input is not UTF-8 (byte 0x{byte:02x}); convert it: "
                "iconv -f <its encoding> -t UTF-8"
            ) from None
        if not line:
            return
        yield line.removesuffix("\n").removeprefix(mark)
        mark = ""
