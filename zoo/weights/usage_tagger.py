"""Runnable examples for the model card of a tagger: `predict(text)` gives the tag of each word."""

from typing import Any

WORDS = """\
number = {word: k for k, word in enumerate(about["vocabulary"])}


def encode(words):  # ids, and where each word begins
    return [number.get(word, 0) for word in words], list(range(len(words)))
"""
TOKENS = """\
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")


def encode(words):  # ids, and where each word begins
    encoded = tokenizer.encode(words, is_pretokenized=True)
    return encoded.ids, [encoded.word_ids.index(k) for k in range(len(words))]
"""
PREDICT = """\

def predict(text):
    words = re.findall(about["word_pattern"], text)[: about["length"]]
    words = [word.lower() for word in words] if about["lower_case"] else words
    ids, first = encode(words)
    rows = run(tokens=np.array([ids]))[0]
    return [about["tag_names"][k] for k in rows[first].argmax(1)]
"""
FOLDER = """\
import re

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForTokenClassification.from_pretrained(".")


def predict(text):
    words = CUT
    inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        best = model(**inputs).logits[0].argmax(1).tolist()
    first = [inputs.word_ids().index(k) for k in range(len(words))]  # the first token of each
    return [model.config.id2label[best[k]] for k in first]
"""


def tagger_graph(about: dict[str, Any]) -> tuple[str, str]:
    """Imports and code for a graph.

    Args:
        about: What `zoo.weights.raw_inputs.describe` gave.
    """
    if "vocabulary" in about:
        return "import re\n", f"{WORDS}\n{PREDICT}"
    return "import re\n\nimport tokenizers\n", f"{TOKENS}\n{PREDICT}"


def tagger_pipeline(about: dict[str, Any]) -> str:
    """Code for a folder for `transformers`."""
    cut = f"re.findall({about['word_pattern']!r}, text)"
    return FOLDER.replace("CUT", f"[w.lower() for w in {cut}]" if about["lower_case"] else cut)
