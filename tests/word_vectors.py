"""A vocabulary of forty words, and tasks and models of it, for the tests of word2vec."""

import torch

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.models.word2vec import Word2Vec
from zoo.registry import TASKS

WORDS = 40
EOT = 1


def tokenizer(words=WORDS - 2):
    names = [f"{a}{b}" for a in "bcdfg" for b in "aeiouvwx"][:words]
    return train_tokenizer("word", [" ".join(names)], specials=["<|endoftext|>"])


def counts(scale=1000):
    """Zipf's law; two thousand unknown words."""
    return [2000, 77] + [scale // k + 1 for k in range(1, WORDS - 1)]


def task(name="skip_gram", **options):
    facts = dict(token_counts=counts(), tokenizer=tokenizer(), eot_id=EOT)
    return TASKS.build({"name": name, **options}, **facts)


def model(width=6):
    torch.manual_seed(3)
    made = Word2Vec(WORDS, width)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made.double()


def text(*shape, seed=5):
    return torch.randint(WORDS, shape, generator=torch.Generator().manual_seed(seed))
