"""Tokens to text as it is written: whole characters only, and nothing of a stop string."""

from collections.abc import Callable, Iterator, Sequence

from torch import nn

from zoo.inference.generation import Sampling, generate

Decode = Callable[[Sequence[int]], str]
HALF = "\ufffd"  # what a decoder gives for bytes that are no character, or not yet
MOST = 16  # tokens decoded again with each new one, at most


class Pieces:
    """The text of one answer, piece by piece.

    A character whose bytes are spread over several tokens appears when it is complete, and what
    may be the beginning of a stop string only when it is none.

    Args:
        decode: Token ids to text; bytes that are no character become U+FFFD.
        prompt: The tokens before, on which the text of the next may depend (a space between words).
        stop: The text ends before any of these.
    """

    def __init__(self, decode: Decode, prompt: Sequence[int] = (), stop: Sequence[str] = ()):
        self.decode, self.stop, self.stopped = decode, [one for one in stop if one], False
        self._ids = list(prompt[-1:])
        self._shown = len(decode(self._ids))  # letters of decode(ids) that are out
        self._held = ""

    def push(self, token: int) -> str:
        """What becomes certain with one more token."""
        self._ids.append(token)
        text = self.decode(self._ids)
        whole = text.removesuffix(HALF)
        fresh, self._shown = whole[self._shown :], max(self._shown, len(whole))
        if whole == text and len(self._ids) > MOST:
            self._ids = self._ids[-1:]
            self._shown = len(self.decode(self._ids))
        return self._release(fresh)

    def finish(self) -> str:
        """What was held back, when no more tokens come."""
        if self.stopped:
            return ""
        rest = self._release(self.decode(self._ids)[self._shown :])
        held, self._held = self._held, ""
        return rest + held

    def _release(self, fresh: str) -> str:
        if self.stopped:
            return ""
        text = self._held + fresh
        found = [place for one in self.stop if (place := text.find(one)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, one) for one in self.stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Letters at the end of a text that a stop string might begin with."""
    most = min(len(text), len(stop) - 1)
    return next((n for n in range(most, 0, -1) if text.endswith(stop[:n])), 0)


def stream(
    model: nn.Module,
    decode: Decode,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling,
    stop: Sequence[str] = (),
    end: int | None = None,
    cached: bool = True,
) -> Iterator[tuple[int, str]]:
    """Text behind each prompt, as it is written: (number of the prompt, a piece of its text).

    Args:
        model, prompts, max_tokens, sampling, end, cached: As in `generate`.
        decode, stop: As in `Pieces`.
    """
    texts = [Pieces(decode, prompt, stop) for prompt in prompts]
    for step in generate(model, prompts, max_tokens, sampling, end, cached):
        for row, token in enumerate(step):
            if token is not None and (piece := texts[row].push(token)):
                yield row, piece
        if all(text.stopped or token is None for text, token in zip(texts, step)):
            break
    for row, text in enumerate(texts):
        if piece := text.finish():
            yield row, piece
