"""From prompts and responses to a `Dataset` of rows of which only the responses are scored.

Ouyang et al., 2022, https://arxiv.org/abs/2203.02155, step 1 (supervised fine-tuning).
Shapes: T tokens of a row.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, text_fingerprint
from zoo.data.splits import split_items
from zoo.data.text.coverage import coverage_notes, repeated_note, text_samples
from zoo.data.text.prompt_encoding import PLACEHOLDER, PromptEncoding
from zoo.data.text.ragged import Row
from zoo.data.text.scored import ScoredRow, ScoredSource
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import EOT, Tokenizer
from zoo.errors import UserError

Pair = tuple[str, str]  # prompt, response
PromptRow = tuple[Row, int]  # ids, how many of them are the prompt's


def prompt_dataset(
    name: str,
    pairs: Sequence[Pair] | Mapping[str, Sequence[Pair]],
    context: DataContext,
    block_size: int,
    template: str,
    columns: tuple[str, str] = ("prompt", "response"),
    verifier: str | None = None,
) -> Dataset:
    """A dataset of prompts and responses, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        pairs: Prompts and responses; by split, where the dataset has split them.
        context: The shared settings. The tokenizer is fitted on the training split.
        block_size: Maximum number of tokens of a row; longer ones are left out.
        template: The text around a prompt.
        columns: Names of prompt and response in the file.
        verifier: Name of what checks an answer (`zoo.data.text.verifiers`), if there is one.

    Raises:
        UserError: A split whose rows are all too long; another kind of run's encoding.
    """
    if block_size < 2:
        raise UserError(f"data.block_size={block_size}: expected 2 or more")
    encoding = context.fitted(PromptEncoding)
    if isinstance(pairs, Mapping):
        splits = {split: list(members) for split, members in pairs.items()}
    else:
        splits = split_items(pairs, context.split, allow_empty=not context.is_new)
    if encoding is None:
        tokenizer = fit_tokenizer(context.tokenizer, splits, template)
        encoding = PromptEncoding(tokenizer, block_size, template, *columns, verifier)
    else:
        context.tokenizer.check_same(encoding.tokenizer)
    samples = text_samples(splits, lambda pair: pair)
    notes = coverage_notes(name, encoding.tokenizer, samples)
    sha256 = text_fingerprint({split: chain.from_iterable(splits[split]) for split in splits})
    if not context.is_new:
        everything = [pair for members in splits.values() for pair in members]
        splits["all"] = everything if isinstance(pairs, Mapping) else list(pairs)
    notes += repeated_note(splits, "prompts with their responses")
    rows = {split: [encoding.encode(*p) for p in members] for split, members in splits.items()}
    short = {split: _drop_long(name, split, rows[split], encoding.length) for split in rows}
    scored = {split: list(map(scored_row, members)) for split, members in short.items()}
    sources = {split: ScoredSource.of(scored[split], encoding.pad_id) for split in scored}
    notes.insert(0, _summary(name, rows, short, encoding))
    return Dataset(encoding.facts(), sources, encoding, sha256, notes=notes)


def fit_tokenizer(
    config: TokenizerConfig,
    splits: Mapping[str, Sequence[Sequence[str]]],
    template: str,
    data: str = "sft",
) -> Tokenizer:
    """Of characters, those of all splits and of the template; others know any text.

    Args:
        config: Its settings.
        splits: Rows of several texts.
        template: The text around a prompt.
        data: The data set, for errors.

    Raises:
        UserError: Words, with which no answer can be written.
    """
    config.check_writes(f"data={data}")
    if config.tokenizer != "char":
        return config.train((text for pair in splits["train"] for text in pair), [EOT])
    texts = [text for members in splits.values() for pair in members for text in pair]
    return config.train([*texts, template.replace(PLACEHOLDER, "")], [EOT])


def scored_row(row: PromptRow) -> ScoredRow:
    """The row with what is scored: the response and its end."""
    ids, prompt = row
    return ids, np.arange(len(ids)) >= prompt


def _drop_long(name: str, split: str, rows: list[PromptRow], limit: int) -> list[PromptRow]:
    """Rows of at most `limit` tokens, the last one's target not counted."""
    short = [row for row in rows if len(row[0]) <= limit + 1]
    if rows and not short:
        raise UserError(
            f"{name}: every row of the {split} split is longer than data.block_size={limit} tokens "
            f"(the shortest has {min(len(ids) for ids, _ in rows):,})"
        )
    return short


def _summary(
    name: str,
    rows: Mapping[str, list[PromptRow]],
    short: Mapping[str, list[PromptRow]],
    encoding: PromptEncoding,
) -> str:
    """`sft: 500 prompts, 23 tokens per response; 3 longer than data.block_size=... left out`"""
    own = [split for split in short if split != "all"]
    responses = [len(ids) - prompt for split in own for ids, prompt in short[split]]
    number, mean = len(responses), sum(responses) / max(1, len(responses))
    summary = f"{name}: {number:,} prompts, {mean:.0f} tokens per response"
    dropped = sum(len(rows[split]) for split in own) - number
    if dropped:
        summary += f"; {dropped:,} longer than data.block_size={encoding.length} tokens left out"
    return summary
