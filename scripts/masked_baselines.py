"""What counting words reaches at filling blanks, on the data and tokenizer of a recipe.

    python scripts/masked_baselines.py [experiment=bert_pydoc] [data.root=data] [group.key=value]

Counts of the training split guess the hidden tokens of the test split, the very ones that the
recipe's model is asked for, from the very text that it sees: a neighbour may be hidden too. Where a
token is shown in place of `[MASK]`, Bayes' rule says how far to trust it. `told` gives the counts
what the model never has, the true neighbours everywhere.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

from zoo.commands.arguments import options  # noqa: E402
from zoo.config import compose  # noqa: E402
from zoo.errors import UserError, report  # noqa: E402

ROUNDS = 50  # of expectation maximisation
CHUNK = 512  # blanks scored at once
BUCKETS = (1, 2, 3, 5, 9, 17)  # weights of the mixture differ by how often both neighbours occurred


class Blanks(NamedTuple):
    """Hidden tokens: what stands left and right (V: unknown), what is shown, the truth; (N,)."""

    left: np.ndarray
    right: np.ndarray
    shown: np.ndarray
    truth: np.ndarray


def blanks(dataset: Any, task: Any, split: str, told: bool = False) -> Blanks:
    """The blanks that evaluation asks for, all of a split's; `told`: with the true neighbours."""
    import torch

    source, found = dataset.splits[split], []
    for index in torch.arange(len(source)).split(256):
        batch = dataset.encoding.prepare(source.fetch(index, torch.zeros_like(index)))
        masked = task.mask(batch, training=False)
        at = masked.at[masked.target >= 0]
        row, place = at // masked.shown.shape[1], at % masked.shown.shape[1]
        tokens = batch["input"]
        nothing = torch.full_like(tokens[:, :1], task.vocab_size)
        seen = tokens if told else torch.cat([masked.shown, nothing], 1)
        seen = torch.cat([nothing, seen.masked_fill(seen == task.mask_id, task.vocab_size)], 1)
        around = (seen[row, place], seen[row, place + 2])  # seen has one more on the left
        found.append(torch.stack([*around, masked.shown[row, place], tokens[row, place]]))
    return Blanks(*torch.cat(found, 1).numpy())


class Mixture:
    """P(token | neighbours) as a weighted sum of unigram, both bigrams and the trigram.

    Jelinek and Mercer, 1980: the weights are those that make held-out text likeliest.
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int) -> None:
        self.size = vocab_size
        left, middle, right = (x.astype(np.int64) for x in (tokens[:-2], tokens[1:-1], tokens[2:]))
        pair = left * (vocab_size + 1) + right
        self.pairs, row = np.unique(pair, return_inverse=True)
        self.seen = np.append(np.bincount(row), 0)
        none = np.zeros(len(tokens), np.int64)
        self.tables = [  # rows: contexts; columns: tokens
            self._table(none, tokens, 1),
            self._table(left, middle, vocab_size + 1),
            self._table(right, middle, vocab_size + 1),
            self._table(row, middle, len(self.pairs) + 1),
        ]
        self.weights = np.full((len(BUCKETS) + 1, 4), 0.25)

    def _table(self, context: np.ndarray, token: np.ndarray, contexts: int) -> Any:
        from scipy import sparse

        ones = np.ones(len(token))
        counts = sparse.csr_matrix((ones, (context, token)), (contexts, self.size))
        total = np.maximum(np.bincount(context, minlength=contexts), 1)
        return sparse.diags(1 / total) @ counts

    def _rows(self, asked: Blanks) -> list[np.ndarray]:
        pair = asked.left * (self.size + 1) + asked.right
        row = np.searchsorted(self.pairs, pair).clip(max=len(self.pairs) - 1)
        row = np.where(self.pairs[row] == pair, row, len(self.pairs))
        return [np.zeros_like(row), asked.left, asked.right, row]

    def _buckets(self, asked: Blanks) -> np.ndarray:
        return np.searchsorted(BUCKETS, self.seen[self._rows(asked)[3]], side="right")

    def fit(self, asked: Blanks) -> None:
        """The weights of each bucket by expectation maximisation."""
        rows, bucket = self._rows(asked), self._buckets(asked)
        parts = [np.asarray(t[r, asked.truth])[0] for t, r in zip(self.tables, rows)]
        likelihood = np.stack(parts, 1) + 1e-12  # (N, 4)
        for _ in range(ROUNDS):
            share = self.weights[bucket] * likelihood
            share /= share.sum(1, keepdims=True)
            for k in range(len(self.weights)):
                if (bucket == k).any():
                    self.weights[k] = share[bucket == k].mean(0)

    def accuracy(self, asked: Blanks, weights: list[float] | None = None) -> float:
        """Share of blanks where the likeliest token is the true one; by fitted weights or given."""
        rows, bucket, right = self._rows(asked), self._buckets(asked), 0
        each = self.weights[bucket] if weights is None else np.tile(weights, (len(bucket), 1))
        for start in range(0, len(bucket), CHUNK):
            part = slice(start, start + CHUNK)
            score = sum(
                each[part, k, None] * table[row[part]].toarray()
                for k, (table, row) in enumerate(zip(self.tables, rows))
            )
            # Shown c: P(w) rises by P(shown c | w), 0.1 for w = c against 0.1 / V for others.
            score[np.arange(len(score)), asked.shown[part]] *= self.size
            right += int((score.argmax(1) == asked.truth[part]).sum())
        return right / len(bucket)


def main(argv: list[str] | None = None) -> int:
    """Count and print a table."""
    _, overrides = options(argv, __doc__ or "")
    if not any(one.startswith("experiment=") for one in overrides):
        overrides = ["experiment=bert_pydoc", *overrides]
    settings = compose.load(overrides)
    if settings["task"]["name"] != "masked_lm":
        raise UserError(f"{overrides[0]}: expected a recipe of task=masked_lm, as bert_pydoc")
    from zoo import build
    from zoo.registry import TASKS

    dataset = build.build_dataset(settings["data"])
    task = build.build_part(TASKS, settings, dataset.facts | build.live_facts(dataset.encoding))
    mixture = Mixture(np.asarray(dataset.splits["train"].tokens), task.vocab_size)
    figures = {}
    for told in (False, True):
        mixture.fit(blanks(dataset, task, "val", told))
        asked = blanks(dataset, task, "test", told)
        figures |= {
            ("unigram", told): mixture.accuracy(asked, [1, 0, 0, 0]),
            ("bigram (left neighbour)", told): mixture.accuracy(asked, [1e-6, 1, 0, 0]),
            ("bigram (right neighbour)", told): mixture.accuracy(asked, [1e-6, 0, 1, 0]),
            ("interpolated trigram (both sides)", told): mixture.accuracy(asked),
        }
    print(f"{len(asked.truth):,} blanks of the test split, {task.vocab_size:,} tokens")
    print(f"{'':36s} {'seen':>8s} {'told':>8s}")
    for name in dict.fromkeys(name for name, _ in figures):
        print(f"{name:36s} {figures[name, False]:8.4f} {figures[name, True]:8.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(report(main))
