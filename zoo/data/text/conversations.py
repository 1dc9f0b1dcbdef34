"""From conversations to a `Dataset` of rows of which only the assistant's turns are scored.

Ouyang et al., 2022, https://arxiv.org/abs/2203.02155, step 1 (supervised fine-tuning).
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.charset import read_text
from zoo.data.chat.format import DEFAULT, Row, with_chat
from zoo.data.chat.messages import CONTENT, Message, exchange
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, text_fingerprint
from zoo.data.splits import split_items
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.coverage import coverage_notes, repeated_note, text_samples
from zoo.data.text.prompt_encoding import PLACEHOLDER
from zoo.data.text.scored import ScoredSource
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import EOT, Tokenizer
from zoo.errors import UserError
from zoo.files import user_path
from zoo.phrases import plural

ANY = exchange("hello", "zoo")


class Conversation(NamedTuple):
    """Messages of one conversation.

    Attributes:
        messages: Checked.
        where: Its place in a file, for messages; empty where it has none.
    """

    messages: list[Message]
    where: str = ""


def conversation_dataset(
    name: str,
    conversations: Sequence[Conversation],
    context: DataContext,
    block_size: int,
    chat_template: str | None = None,
    pack: bool = False,
) -> Dataset:
    """A dataset of conversations, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        conversations: Messages of each.
        context: The shared settings. The tokenizer is fitted on the training split.
        block_size: Maximum number of tokens of a row; a longer conversation ends with the last
            answer that fits.
        chat_template: A Jinja template; None for that of the tokenizer, or else a default.
        pack: Whether short conversations share rows of the training split.

    Raises:
        UserError: A conversation that the template refuses; a split without one that fits; another
            kind of run's encoding.
    """
    if block_size < 2:
        raise UserError(f"data.block_size={block_size}: expected 2 or more")
    splits = split_items(conversations, context.split, allow_empty=not context.is_new)
    encoding = chat_encoding(name, splits, context, block_size, chat_template)
    samples = text_samples(splits, lambda c: (message[CONTENT] for message in c.messages))
    notes = coverage_notes(name, encoding.tokenizer, samples)
    keys = {split: [_key(c) for c in members] for split, members in splits.items()}
    sha256 = text_fingerprint(keys)
    if context.is_new:
        notes += repeated_note(keys, "conversations")
    else:
        splits["all"] = list(conversations)
    rows = {split: list(_rows(members, encoding)) for split, members in splits.items()}
    short = {split: _cut_long(name, split, rows[split], encoding.length) for split in rows}
    own = {split: members for split, members in short.items() if split != "all"}
    notes.insert(0, _summary(name, len(conversations), rows, own, encoding.length))
    sources = {split: ScoredSource.of(short[split], encoding.pad_id) for split in short}
    if pack:
        sources["train"], note = _packed(short["train"], encoding)
        notes.append(note)
    said = {} if context.is_new else {k: [c.messages for c in splits[k]] for k in splits}
    return Dataset(encoding.facts(), sources, encoding, sha256, notes=notes, conversations=said)


def read_template(given: str | None) -> str | None:
    """The Jinja template that `data.chat_template` names or is.

    Raises:
        UserError: It is neither a template nor a file.
    """
    if given is None or "{{" in given or "{%" in given:
        return given
    if given == "default":
        return DEFAULT
    file = user_path(given)
    if not file.is_file():
        raise UserError(
            f"data.chat_template={given}: no such file; expected a file with a Jinja template, "
            "`default`, or null for the tokenizer's own"
        )
    return read_text(file)[0]


def check_template(template: str) -> None:
    """Refuse a template of plain prompts for conversations, which it would not change.

    Raises:
        UserError: There is text in it besides the prompt.
    """
    if template.replace(PLACEHOLDER, "").strip():
        raise UserError(
            f"data.template={template!r} is for plain prompts, and these are written as "
            f"conversations; leave it out, or put the text into data.chat_template"
        )


def chat_encoding(
    name: str,
    splits: Mapping[str, Sequence[Conversation]],
    context: DataContext,
    block_size: int,
    chat_template: str | None,
) -> ChatEncoding:
    """The run's encoding, or for a new one its tokenizer with a chat template; arguments as of
    `conversation_dataset`.

    Raises:
        UserError: Another kind of run's encoding; a tokenizer that writes no answer.
    """
    encoding = context.fitted(ChatEncoding)
    if encoding is None:
        tokenizer = _fit_tokenizer(name, context.tokenizer, splits, chat_template)
        return ChatEncoding(with_chat(tokenizer, chat_template), block_size)
    context.tokenizer.check_same(encoding.tokenizer)
    return encoding


def _packed(rows: Sequence[Row], encoding: ChatEncoding) -> tuple[ScoredSource, str]:
    """Rows that share as few as possible, and a note on how many those are."""
    width = encoding.length + 1  # the last token's target included
    source = ScoredSource.packed(rows, encoding.pad_id, width)
    share = source.num_tokens / max(1, len(source) * width)
    return source, f"{plural(len(rows), 'row')} packed into {len(source):,}, {share:.0%} full"


def _fit_tokenizer(
    name: str,
    config: TokenizerConfig,
    splits: Mapping[str, Sequence[Conversation]],
    template: str | None,
) -> Tokenizer:
    """Of characters, those of all splits and of the template; others know any text.

    Raises:
        UserError: Words, with which no answer can be written.
    """
    config.check_writes(f"data={name}")
    known = splits["train"]
    if config.tokenizer == "char":
        known = [conversation for members in splits.values() for conversation in members]
    texts: Iterable[str] = (m[CONTENT] for c in known for m in c.messages)
    if config.given is None:
        texts = [*texts, *_markers(template)]
    return config.train(texts, [EOT])


def _markers(template: str | None) -> list[str]:
    """What a template writes around messages."""
    from zoo.data.chat.template import ChatTemplate
    from zoo.data.tokenizers.registry import ByteTokenizer

    chat = with_chat(ByteTokenizer([EOT]), template).chat
    assert chat is not None
    written = ChatTemplate(**chat)
    system = [{"role": "system", "content": ""}]
    texts = [written.render(ANY, prompt) for prompt in (False, True)]
    with contextlib.suppress(UserError):  # it may take none
        texts.append(written.render(system + ANY, True))
    return [text.replace(EOT, "") for text in texts]


def _rows(conversations: Iterable[Conversation], encoding: ChatEncoding) -> Iterator[list[Row]]:
    """The rows of each conversation."""
    for messages, where in conversations:
        try:
            yield encoding.chat.rows(messages)
        except UserError as error:
            raise UserError(f"{where}: {error}" if where else str(error)) from None


def _cut_long(name: str, split: str, rows: list[list[Row]], limit: int) -> list[Row]:
    """Rows of at most `limit` tokens, the last one's target not counted; longer ones end with the
    last answer that fits, and are left out where none does."""
    every = [row for own in rows for row in own]
    short = [cut for row in every if (cut := _cut(row, limit + 1)) is not None]
    if every and not short:
        least = min(_ends(row)[0] for row in every)
        raise UserError(
            f"{name}: no answer of the {split} split ends within data.block_size={limit} tokens "
            f"(the first of them after {least:,})"
        )
    return short


def _ends(row: Row) -> list[int]:
    """How many tokens there are up to the end of each answer."""
    after = np.append(row.learnt[1:], False)
    return (np.flatnonzero(row.learnt & ~after) + 1).tolist()


def _cut(row: Row, limit: int) -> Row | None:
    fitting = [end for end in _ends(row) if end <= limit]
    return Row(row.ids[: fitting[-1]], row.learnt[: fitting[-1]]) if fitting else None


def _summary(
    name: str,
    number: int,
    rows: Mapping[str, list[list[Row]]],
    short: Mapping[str, list[Row]],
    limit: int,
) -> str:
    """`sft: 500 conversations, 1,210 answers of 23 tokens; 3 rows longer than ... are cut`"""
    kept = [row for members in short.values() for row in members]
    every = [row for split in short for own in rows[split] for row in own]
    answers = sum(len(_ends(row)) for row in kept)
    mean = sum(int(row.learnt.sum()) for row in kept) / max(1, answers)
    summary = f"{name}: {number:,} conversations, {answers:,} answers of {mean:.0f} tokens"
    lost = sum(len(_ends(row)) for row in every) - answers
    if lost:
        summary += f"; {plural(lost, 'answer')} beyond data.block_size={limit} tokens left out"
    return summary


def _key(conversation: Conversation) -> str:
    return json.dumps(conversation.messages, ensure_ascii=False)
