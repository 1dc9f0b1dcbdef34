"""How much of a text a vocabulary knows: almost nothing is refused, a part of it is a note."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from zoo.data.text.document import Documents
from zoo.data.tokenizers.base import KNOWN_LEAST, Tokenizer
from zoo.errors import UserError
from zoo.phrases import part_of

REFUSED, NOTED = 1 - KNOWN_LEAST, 0.05  # fractions of a text that are unknown
SAMPLE = 2**17  # characters of a split that are looked at
PARTS = 64  # of them, from texts spread evenly over the split
T = TypeVar("T")


def coverage_notes(
    name: str,
    tokenizer: Tokenizer,
    texts: Mapping[str, Callable[[], Iterable[str]]],
    predicted: bool = True,
) -> list[str]:
    """Notes on how texts were cut, and on splits of which a part is unknown.

    Args:
        name: Of the dataset.
        tokenizer: Already trained, or given.
        texts: By split, a function that gives a sample of its texts.
        predicted: Whether the tokens themselves are predicted, in each split; else those of the
            training split are what is learnt from, and few of the others may be known.

    Raises:
        UserError: The vocabulary knows almost nothing of a split.
    """
    shares = {split: share for split in texts if (share := _share(tokenizer, texts[split]))}
    for split, share in shares.items():
        if share >= REFUSED and (predicted or split == "train"):
            raise UserError(
                f"{name}: the {tokenizer.kind} vocabulary of {tokenizer.vocab_size:,} tokens knows "
                f"{_percent(1 - share)} of the text of the {split} split: there is nothing to "
                f"learn or to measure; {_remedy(tokenizer)}"
            )
    noted = {split: share for split, share in shares.items() if share >= NOTED}
    listed = ", ".join(f"{_percent(share)} of {split}" for split, share in noted.items())
    unknown = [f"not in the vocabulary: about {listed} ({_remedy(tokenizer)})"] if noted else []
    return tokenizer.notes() + unknown


def unknown_note(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """A note on texts to predict for, of which a vocabulary knows almost nothing."""
    number = sum(map(tokenizer.knows_nothing, texts))
    if not number:
        return []
    which = part_of(number, len(texts), "text")
    return [f"the run's vocabulary knows nothing of {which}: answers do not depend on such texts"]


def repeated_note(splits: Mapping[str, Sequence[Hashable]], what: str) -> list[str]:
    """A note where samples of val or test are also in train, which makes their score better.

    Args:
        splits: The samples of each; with a split "all" they are another's to evaluate.
        what: They are.
    """
    if "all" in splits:
        return []
    known = set(splits["train"])
    repeated = sum(sample in known for split in ("val", "test") for sample in splits[split])
    if not repeated:
        return []
    return [f"{repeated:,} {what} of the val and test splits are also in the train split"]


def _share(tokenizer: Tokenizer, texts: Callable[[], Iterable[str]]) -> float:
    """The fraction that is unknown, of a sample, by its characters or words."""
    if not tokenizer.may_lack:
        return 0.0
    unknown = total = 0
    for text in texts():
        lacking, number = tokenizer.count_unknown(text)
        unknown, total = unknown + lacking, total + number
    return unknown / total if total else 0.0


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"


def _remedy(tokenizer: Tokenizer) -> str:
    if tokenizer.kind == "word":
        return "raise data.vocab_size or lower data.min_count, or take data.tokenizer=bpe"
    return "take weights of this language in init.from, or train a vocabulary: data.tokenizer=bpe"


def spread(texts: Iterable[str], number: int) -> Iterator[str]:
    """Parts of `number` texts, spread evenly: about `SAMPLE` characters in total."""
    stride, length = max(1, number // PARTS), max(1, SAMPLE // max(1, min(number, PARTS)))
    for position, text in enumerate(texts):
        if position % stride == 0:
            yield text[:length]


def text_samples(
    splits: Mapping[str, Sequence[T]], texts_of: Callable[[T], Iterable[str]]
) -> dict[str, Callable[[], Iterator[str]]]:
    """For each split with samples, a function that gives the beginnings of some of its texts."""

    def beginnings(members: Sequence[T]) -> Iterator[str]:
        texts = [text for member in members for text in texts_of(member)]
        return spread(texts, len(texts))

    return {split: partial(beginnings, members) for split, members in splits.items() if members}


def document_samples(documents: Documents) -> dict[str, Callable[[], Iterator[str]]]:
    """For each split, a function that gives the beginnings of documents."""

    def beginnings(split: str) -> Iterator[str]:
        members = documents[split]
        stride, length = max(1, len(members) // PARTS), SAMPLE // max(1, min(len(members), PARTS))
        for document in members[::stride]:
            yield next(iter(document.pieces()), "")[: max(1, length)]

    return {split: partial(beginnings, split) for split in documents}
