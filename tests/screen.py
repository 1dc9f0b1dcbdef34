"""A stand-in for a terminal."""

import re


class Screen:
    """A minimal terminal: lines, moving the cursor up, clearing below it."""

    def __init__(self):
        self.lines = [""]

    def feed(self, text):
        for token in re.split(r"(\x1b\[\d*[FJ]|\r?\n)", text):
            if move := re.fullmatch(r"\x1b\[(\d*)F", token):
                self.row = len(self.lines) - 1 - int(move[1])
                assert self.row >= 0, "above the top"
            elif token == "\x1b[J":
                del self.lines[self.row :]
                self.lines.append("")
            elif token in ("\n", "\r\n"):
                self.lines.append("")
            else:
                self.lines[-1] += token
