"""Accuracy of n-gram counts at predicting masked tokens, on a recipe's data and tokenizer.

    python scripts/masked_baselines.py [experiment=bert_pydoc] [data.root=data] [group.key=value]

Counts of the training split predict the masked tokens of the test split: the same positions that
the recipe's model is evaluated on, from the same corrupted text, in which a neighbour may be masked
too. Where a token is shown in place of `[MASK]`, Bayes' rule weighs it. The column
`clean` is the accuracy with the true neighbours everywhere, which the model never has.
"""

from typing import Any, NamedTuple

import numpy as np

from benchmarks.ngrams import MaskedTokens, Mixture
from zoo.commands.arguments import options
from zoo.config import compose
from zoo.config.run import RunConfig
from zoo.errors import UserError


class Baseline(NamedTuple):
    """A row of the table; without weights, those fitted on the validation split."""

    name: str
    weights: tuple[float, ...] | None


BASELINES = (
    Baseline("unigram", (1, 0, 0, 0)),
    Baseline("bigram (left neighbour)", (1e-6, 1, 0, 0)),
    Baseline("bigram (right neighbour)", (1e-6, 0, 1, 0)),
    Baseline("interpolated trigram (both sides)", None),
)


def masked_tokens(dataset: Any, task: Any, split: str, clean: bool = False) -> MaskedTokens:
    """All masked tokens that evaluation scores in a split; `clean`: with their true neighbours."""
    import torch

    source, batches = dataset.splits[split], []
    for index in torch.arange(len(source)).split(256):
        batch = dataset.encoding.prepare(source.fetch(index, torch.zeros_like(index)))
        masked = task.mask(batch, training=False)
        positions = masked.positions[masked.labels >= 0]
        row, column = positions // masked.input_ids.shape[1], positions % masked.input_ids.shape[1]
        tokens = batch["input"]
        unknown = torch.full_like(tokens[:, :1], task.vocab_size)
        text = tokens if clean else torch.cat([masked.input_ids, unknown], 1)
        text = torch.cat([unknown, text.masked_fill(text == task.mask_id, task.vocab_size)], 1)
        neighbours = (text[row, column], text[row, column + 2])  # text has one more on the left
        truth = tokens[row, column]
        batches.append(torch.stack([*neighbours, masked.input_ids[row, column], truth]))
    return MaskedTokens(*torch.cat(batches, 1).numpy())


def fitted_mixture(dataset: Any, config: RunConfig) -> tuple[Mixture, Any]:
    """Counts of the training split, with the weights that suit the validation split; the task."""
    from zoo import build
    from zoo.registry import TASKS

    facts = dataset.facts | dataset.encoding.runtime_facts
    task = build.build_component(TASKS, config.task, facts, config.data["name"])
    mixture = Mixture(np.asarray(dataset.splits["train"].tokens), task.vocab_size)
    mixture.fit(masked_tokens(dataset, task, "val"))
    return mixture, task


def main(argv: list[str] | None = None) -> int:
    """Count and print a table."""
    _, overrides = options(argv, __doc__ or "")
    if not any(override.startswith("experiment=") for override in overrides):
        overrides = ["experiment=bert_pydoc", *overrides]
    config = compose.load(overrides)
    if config.task["name"] != "masked_lm":
        raise UserError(f"{overrides[0]}: expected a recipe of task=masked_lm, as bert_pydoc")
    from zoo.build import build_dataset

    dataset: Any = build_dataset(config.data)
    mixture, task = fitted_mixture(dataset, config)
    columns = []
    for clean in (False, True):
        mixture.fit(masked_tokens(dataset, task, "val", clean))
        test = masked_tokens(dataset, task, "test", clean)
        columns.append([mixture.accuracy(test, baseline.weights) for baseline in BASELINES])
    print(f"{len(test.truth):,} masked tokens of the test split, {task.vocab_size:,} tokens")
    print(f"{'':36s} {'masked':>8s} {'clean':>8s}")
    for baseline, masked, clean_accuracy in zip(BASELINES, *columns):
        print(f"{baseline.name:36s} {masked:8.4f} {clean_accuracy:8.4f}")
    return 0
