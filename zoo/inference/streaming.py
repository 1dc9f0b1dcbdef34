"""Streaming of generated text: complete characters only, and never a part of a stop string."""

from collections.abc import Callable, Collection, Iterator, Sequence

from zoo.inference.generation import Sampling, generate
from zoo.inference.protocols import LanguageModel

Decode = Callable[[Sequence[int]], str]
REPLACEMENT = "\ufffd"  # stands for bytes that are not a character, or not yet
MAX_DECODED = 16  # tokens that are decoded again with each new one
LONGEST = 4  # bytes of a character, so tokens of one at most


class TextStream:
    """The text of one generated sequence, piece by piece.

    A character whose bytes are spread over several tokens is released when it is complete, and the
    possible beginning of a stop string when it turns out not to be one. Of an incomplete one there
    may be a U+FFFD for each byte, and for the bytes of complete ones right before it, too, as in
    vocabularies of SentencePiece.

    Args:
        decode: Token ids to text; bytes that are not a character become U+FFFD.
        prompt: The tokens before the text, since the next token's text may depend on them (a space
            between words).
        stop: The text ends before any of these strings.
    """

    def __init__(self, decode: Decode, prompt: Sequence[int] = (), stop: Sequence[str] = ()):
        self.decode, self.stop, self.stopped = decode, [string for string in stop if string], False
        self._ids = _last_character(decode, prompt)
        self._whole = len(self._ids)  # how many of these ids make complete characters
        self._released = len(decode(self._ids))  # characters of decode(ids) that are released
        self._held_back = ""  # may be the beginning of a stop string

    def push(self, token: int) -> str:
        """Add a token and return the text that it releases."""
        self._ids.append(token)
        text = self.decode(self._ids)
        may_become_one = len(self._ids) - self._whole < LONGEST  # else its bytes are no character
        complete = text.rstrip(REPLACEMENT) if may_become_one else text.removesuffix(REPLACEMENT)
        new, self._released = complete[self._released :], max(self._released, len(complete))
        if complete == text:
            last = self._ids[self._whole :]
            if len(self._ids) > MAX_DECODED and (spelled := self.decode(last)):
                self._ids, self._released = last, len(spelled)
            self._whole = len(self._ids)
        return self._release(new)

    def finish(self) -> str:
        """Return the rest of the text, when no more tokens come."""
        if self.stopped:
            return ""
        rest = self._release(self.decode(self._ids)[self._released :])
        held_back, self._held_back = self._held_back, ""
        return rest + held_back

    def _release(self, new: str) -> str:
        if self.stopped:
            return ""
        text = self._held_back + new
        starts = [start for string in self.stop if (start := text.find(string)) >= 0]
        if starts:
            self.stopped, self._held_back = True, ""
            return text[: min(starts)]
        overlap = max((_overlap(text, string) for string in self.stop), default=0)
        self._held_back = text[len(text) - overlap :]
        return text[: len(text) - overlap]


def _last_character(decode: Decode, ids: Sequence[int]) -> list[int]:
    """The last id, or as many as spell the whole character that it ends."""
    tails = (list(ids[-count:]) for count in range(1, LONGEST + 1))
    return next((tail for tail in tails if REPLACEMENT not in decode(tail)), list(ids[-1:]))


def _overlap(text: str, stop: str) -> int:
    """Number of characters at the end of a text with which a stop string may begin."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


def stream(
    model: LanguageModel,
    decode: Decode,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling,
    stop: Sequence[str] = (),
    ends: Collection[int] = (),
    cached: bool = True,
) -> Iterator[tuple[int, str]]:
    """Generate and yield text as it is produced: (index of the prompt, new piece of its text).

    Args:
        model, prompts, max_tokens, sampling, ends, cached: As in `generate`.
        decode, stop: As in `TextStream`.
    """
    streams = [TextStream(decode, prompt, stop) for prompt in prompts]
    for step in generate(model, prompts, max_tokens, sampling, ends, cached):
        for row, token in enumerate(step):
            if token is not None and (piece := streams[row].push(token)):
                yield row, piece
        if all(text.stopped or token is None for text, token in zip(streams, step)):
            break
    for row, text in enumerate(streams):
        if piece := text.finish():
            yield row, piece
