"""The text of `experiment=word2vec_pydoc`, and the loss of word vectors on its held-out splits."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo import build
from zoo.config import compose

MAX_WORDS = 10_000  # that gensim reads of a sentence; it would drop the rest
PASSES = 5  # over a held-out split, each with its own windows
Pairs = tuple[Tensor, Tensor]


class Corpus:
    """The recipe's text, for Zoo and gensim alike.

    Attributes:
        config: The recipe's.
        documents: By split, the known words of each document, int64.
        words: Known words in the training split, the unit of both speeds.
        counts: Of each word in the training split, (V,); 0 for special tokens.
    """

    def __init__(self, folder: str, *overrides: str) -> None:
        folders = [f"output_dir={folder}", f"data.root={folder}", "trainer.device=cpu"]
        self.config = compose.load(["experiment=word2vec_pydoc", *folders, *overrides])
        dataset: Any = build.build_dataset(self.config.data)
        self.dataset, self.specials = dataset, dataset.encoding.tokenizer.specials
        self.documents = {split: self._documents(split) for split in self.dataset.splits}
        self.words = sum(map(len, self.documents["train"]))
        self.epochs = self.config.trainer.max_epochs or 1
        counts = torch.tensor(self.dataset.facts["token_counts"])
        self.counts = counts.index_fill(0, torch.tensor([*self.specials.values()]), 0)

    def _documents(self, split: str) -> list[Tensor]:
        """Unknown words left out; long documents cut."""
        tokens = torch.from_numpy(self.dataset.splits[split].tokens.astype("int64"))
        ends = (tokens == self.dataset.facts["eot_id"]).nonzero().flatten().tolist()
        documents = torch.tensor_split(tokens, ends)
        known = (document[document >= len(self.specials)] for document in documents)
        return [piece for document in known for piece in document.split(MAX_WORDS) if len(piece)]

    def pairs(self, split: str) -> Pairs:
        """Centres and neighbours of a held-out split, drawn as in training, but one by one."""
        task = self.config.task
        frequency = self.counts / self.counts.sum()
        keep = ((task["sample"] / frequency).sqrt() + task["sample"] / frequency).clamp(max=1)
        generator = torch.Generator().manual_seed(0)
        centres, neighbours = [], []
        for document in self.documents[split] * PASSES:
            drawn = torch.rand(len(document), generator=generator)
            words = document[drawn < keep[document]]
            reach = torch.randint(1, task["window"] + 1, (len(words),), generator=generator)
            for distance in range(1, min(task["window"], len(words) - 1) + 1):
                for centre, neighbour, window in (
                    (words[:-distance], words[distance:], reach[:-distance]),
                    (words[distance:], words[:-distance], reach[distance:]),
                ):
                    centres.append(centre[window >= distance])
                    neighbours.append(neighbour[window >= distance])
        return torch.cat(centres), torch.cat(neighbours)

    def loss(self, words: Tensor, contexts: Tensor, pairs: Pairs) -> float:
        """Nats per pair: -log s(pair) - K E[log s(-negative)] of vectors (V, D) and (V, D).

        The mean over the negative samples is computed exactly: no draw favours either side.
        """
        task, (centres, neighbours) = self.config.task, pairs
        weights = self.counts.double().pow(task["noise_power"])
        noise = (weights / weights.sum()).float()
        negative = torch.cat([F.softplus(rows @ contexts.T) @ noise for rows in words.split(512)])
        positive = F.softplus(-(words[centres] * contexts[neighbours]).sum(1))
        return float((positive + task["negatives"] * negative[centres]).mean())
