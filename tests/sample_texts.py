"""Labelled texts for tests: a CSV file, its dataset, and what that holds."""

import csv
import io
import random

import torch
from contexts import build_dataset

from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig

SPLIT = Split(val_fraction=0.2, test_fraction=0.2)
BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)


def table(n=60, seed=0, classes=("cat", "dog"), header=("id", "body", "kind")):
    """Rows whose class is a word of the text, of many lengths; commas, quotes, newlines in it."""
    r = random.Random(seed)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for i in range(n):
        kind = classes[i % len(classes)]
        filler = " ".join(r.choice(["a", 'the "one"', "née,", "\nnull"]) for _ in range(i % 9))
        writer.writerow([i, f"{kind} {i} {filler}", kind])
    return out.getvalue()


def build(
    path, tokenizer=BYTES, encoding=None, block_size=64, text="body", target="kind", **options
):
    options = {"path": path, "text": text, "target": target, **options}
    options |= {"name": "text_csv", "block_size": block_size}
    return build_dataset(options, split=SPLIT, tokenizer=tokenizer, encoding=encoding)


def decoded(data, split):
    """(text, class name) of every sample, by batches of seven."""
    source, found = data.splits[split], []
    for index in torch.arange(len(source)).split(7):
        batch = data.encoding.prepare(source.fetch(index))
        assert batch["input"].dtype == batch["target"].dtype == torch.int64
        for row, target in zip(batch["input"], batch["target"], strict=True):
            text = data.encoding.tokenizer.decode(row.tolist())
            found.append((text, data.facts["class_names"][target]))
    return found
