"""Where words begin in rows of ids, Chinese words too: found by jieba in the text that ids spell.

Shapes: N rows, T ids of each.
"""

from collections.abc import Sequence

import numpy as np

from zoo.data.tokenizers.chinese import jieba_cut


class Segmented:
    """Tells which ids begin a word. Words that share an id, as half of a character, are one.

    Args:
        spelled: The UTF-8 bytes of each id.

    Raises:
        UserError: jieba is not installed.
    """

    def __init__(self, spelled: Sequence[bytes]) -> None:
        self.spelled = spelled
        self._cut = jieba_cut("task.segmenter=jieba needs")

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Bool (N, T) of ids (N, T)."""
        return np.array([self._row(row) for row in rows.tolist()], bool).reshape(rows.shape)

    def _row(self, ids: Sequence[int]) -> list[bool]:
        pieces = [self.spelled[number] for number in ids]
        # Bytes that are no whole character become one letter each, so that places stay known.
        text = b"".join(pieces).decode("utf-8", "surrogateescape")
        begins, place = set(), 0
        for word in self._cut(text):
            begins.add(place)
            place += len(word.encode("utf-8", "surrogateescape"))
        starts, place = [], 0
        for piece in pieces:
            starts.append(place in begins)
            place += len(piece)
        return starts
