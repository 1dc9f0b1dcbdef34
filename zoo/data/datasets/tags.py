"""Is this word of Python's source a name, a keyword, an operator, a number, a string, a comment?

Files of the standard library, cut into words with the kind that `tokenize` gives each. Words are
lower-cased pieces: `getValue` is `get` and `value`, and quotes are left out, so that `in` may be a
keyword, a part of a name, or English in a string or a comment: the words around it tell, and where
a comment ends too. A sentence is as many lines as hold `block_size` words.

Files are chosen by a hash of their names, so that another version of Python, which has other files
too, has nearly the same ones here. Split by file. Texts differ from version to version: it is noted
and the SHA-256 recorded.
"""

import hashlib
import io
import keyword
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import sources, version_note
from zoo.data.splits import split_items
from zoo.data.text.tagged import Sentence, shuffled, tagged_dataset
from zoo.data.text.tagged_encoding import CUTS
from zoo.errors import UserError
from zoo.registry import DATASETS

KINDS = {
    tokenize.NAME: "name",
    tokenize.OP: "operator",
    tokenize.NUMBER: "number",
    tokenize.STRING: "string",
    tokenize.COMMENT: "comment",
}
MOST = 4000  # words of a file; of a longer one the beginning, so that none outweighs the others
Word = tuple[str, str, int]  # lower-cased, its kind, its line


@DATASETS.register("tags", uses=("tokenizer", "labels"), tiny={"block_size": 32, "files": 20})
def tags(
    context: DataContext, block_size: int, files: int | None = 240, labelled: int | None = None
) -> Dataset:
    """Lines of source, each word with its kind.

    Args:
        context: The shared settings.
        block_size: Maximum number of words of a sentence.
        files: How many files; None for all.
        labelled: Keep the tags of only this many training sentences, to measure the value of
            sentences without; None for all. `data.train_size` leaves out the others.

    Raises:
        UserError: Fewer than three files, more labelled sentences than there are.
    """
    if files is not None and files < 3:
        raise UserError(f"data.files={files}: expected 3 or more, one for each split, or null")
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    chosen = sorted(sources(), key=lambda file: hashlib.sha256(file[0].encode()).digest())[:files]
    by_file = [list(sentences(text, block_size)) for _, text in sorted(chosen)]
    splits = {
        split: [sentence for one in members for sentence in one]
        for split, members in split_items(by_file, context.whole.split).items()
    }
    if labelled is not None:
        splits["train"] = _labelled(splits["train"], labelled, context.split.split_seed)
    dataset = tagged_dataset("tags", splits, context, block_size, cut="code")
    dataset.notes.append(version_note())
    return dataset


def _labelled(members: list[Sentence], number: int, seed: int) -> list[Sentence]:
    """The sentences, all but `number` of them without their tags."""
    if not 0 < number <= len(members):
        raise UserError(f"data.labelled={number}: expected 1 to {len(members)}, or null")
    kept = set(shuffled(len(members), seed)[:number].tolist())
    return [
        one if k in kept else one._replace(tags=(None,) * len(one.words))
        for k, one in enumerate(members)
    ]


def sentences(source: str, block_size: int) -> Iterator[Sentence]:
    """The lines of a file, as many together as hold `block_size` words; a longer line is cut."""
    block: list[Word] = []
    line: list[Word] = []
    for word in [*_first(source), ("", "", -1)]:  # the last ends a line
        if line and (word[2] != line[0][2] or len(line) == block_size):
            if len(block) + len(line) > block_size:
                yield _sentence(block)
                block = []
            block, line = block + line, []
        line.append(word)
    if block:
        yield _sentence(block)


def _sentence(block: list[Word]) -> Sentence:
    words, kinds, _ = zip(*block, strict=True)
    return Sentence(words, kinds)


def _first(source: str) -> Iterator[Word]:
    for number, word in enumerate(words(source)):
        if number == MOST:
            return
        yield word


def words(source: str) -> Iterator[Word]:
    """The words of a Python file, in order; none from where it is not valid Python."""
    starts = [0, *accumulate(map(len, io.StringIO(source)))]  # of each line
    for (row, column), (last_row, last_column), kind in _tokens(source):
        start, stop = starts[row - 1] + column, starts[last_row - 1] + last_column
        for match in CUTS["code"].finditer(source, start, stop):
            yield match[0].lower(), kind, bisect_right(starts, match.start())


def _tokens(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """Start, end and kind of each token. An f-string is one, as before Python 3.12."""
    depth, opened = 0, (0, 0)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[token.type]
            if name.endswith("STRING_START"):
                opened = opened if depth else token.start
                depth += 1
            elif name.endswith("STRING_END"):
                depth -= 1
                if not depth:
                    yield opened, token.end, "string"
            elif not depth and token.type in KINDS:
                is_keyword = token.type == tokenize.NAME and keyword.iskeyword(token.string)
                yield token.start, token.end, "keyword" if is_keyword else KINDS[token.type]
    except (tokenize.TokenError, SyntaxError):
        return
