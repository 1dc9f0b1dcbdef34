"""word2vec beside gensim: words a second and held-out loss, on the same text.

    python scripts/benchmark.py word2vec       what the recipe reaches, in one interleaved run
    python scripts/benchmark_word2vec.py       the learning rates of both, on the validation split

Both learn skip-gram vectors of the words of `experiment=word2vec_pydoc`: same words, width, window,
negatives, sub-sampling and epochs; gensim with two workers, ours through `train.py`'s own trainer.
A loss is that of skip-gram with negative sampling over the pairs of a held-out split, the mean
over the noise words computed exactly: no draw favours either.
gensim is measured where it is installed (`pip install gensim`).
"""

import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from benchmark_race import paired, race  # noqa: E402
from torch import Tensor  # noqa: E402

from zoo import build  # noqa: E402
from zoo.commands.arguments import options  # noqa: E402
from zoo.config import compose  # noqa: E402
from zoo.errors import UserError, report  # noqa: E402
from zoo.training.runtime import Runtime  # noqa: E402

WORKERS = 2
GENSIM_RATE = 0.035  # the best of GENSIM_RATES on the validation split
GENSIM_RATES = (0.015, 0.025, 0.035, 0.05, 0.075)
RATES = (0.15, 0.2, 0.25, 0.3, 0.4)
LONGEST = 10_000  # words that gensim reads of a sentence; the rest it would drop
PASSES = 5  # over a held-out split, each with its own windows
Pairs = tuple[Tensor, Tensor]


class Corpus:
    """The recipe's text, for both.

    Attributes:
        settings: The recipe's.
        documents: By split, the known words of each document, int64.
        words: Known words in the training split, which both are timed by.
    """

    def __init__(self, folder: str, *overrides: str) -> None:
        places = [f"output_dir={folder}", f"data.root={folder}", "trainer.device=cpu"]
        self.settings = compose.load(["experiment=word2vec_pydoc", *places, *overrides])
        self.dataset = build.build_dataset(self.settings["data"])
        self.tokenizer = self.dataset.encoding.tokenizer
        self.documents = {split: self._documents(split) for split in self.dataset.splits}
        self.words = sum(map(len, self.documents["train"]))
        self.epochs = self.settings["trainer"]["max_epochs"]
        counts = torch.tensor(self.dataset.facts["token_counts"])
        self.counts = counts.index_fill(0, torch.tensor([*self.tokenizer.specials.values()]), 0)

    def _documents(self, split: str) -> list[Tensor]:
        """Unknown words left out; long documents cut."""
        tokens = torch.from_numpy(self.dataset.splits[split].tokens.astype("int64"))
        ends = (tokens == self.dataset.facts["eot_id"]).nonzero().flatten().tolist()
        parts = torch.tensor_split(tokens, ends)
        known = (part[part >= len(self.tokenizer.specials)] for part in parts)
        return [piece for part in known for piece in part.split(LONGEST) if len(piece)]

    def pairs(self, split: str) -> Pairs:
        """Centres and neighbours of a held-out split, drawn as in training, but one by one."""
        task = self.settings["task"]
        share = self.counts / self.counts.sum()
        keep = ((task["sample"] / share).sqrt() + task["sample"] / share).clamp(max=1)
        generator = torch.Generator().manual_seed(0)
        centres, neighbours = [], []
        for document in self.documents[split] * PASSES:
            drawn = torch.rand(len(document), generator=generator)
            words = document[drawn < keep[document]]
            reach = torch.randint(1, task["window"] + 1, (len(words),), generator=generator)
            for away in range(1, min(task["window"], len(words) - 1) + 1):
                for one, other, own in (
                    (words[:-away], words[away:], reach[:-away]),
                    (words[away:], words[:-away], reach[away:]),
                ):
                    centres.append(one[own >= away])
                    neighbours.append(other[own >= away])
        return torch.cat(centres), torch.cat(neighbours)

    def loss(self, words: Tensor, contexts: Tensor, pairs: Pairs) -> float:
        """Nats per pair: -log s(pair) - K E[log s(-noise)] of vectors (V, D) and (V, D)."""
        task, (centres, neighbours) = self.settings["task"], pairs
        noise = self.counts.double().pow(task["noise_power"])
        noise = (noise / noise.sum()).float()
        each = torch.cat([F.softplus(part @ contexts.T) @ noise for part in words.split(512)])
        true = F.softplus(-(words[centres] * contexts[neighbours]).sum(1))
        return float((true + task["negatives"] * each[centres]).mean())


def zoo(corpus: Corpus, seed: int, *overrides: str) -> tuple[float, Tensor, Tensor]:
    """Words a second of the trainer's `fit`, validation and checkpoints included; both tables."""
    places = [f"{key}={corpus.settings[key]}" for key in ("output_dir",)]
    settings = compose.load(
        ["experiment=word2vec_pydoc", f"seed={seed}", "trainer.device=cpu", *places, *overrides]
    )
    with contextlib.redirect_stdout(io.StringIO()):
        options_ = build.trainer_config(settings)
        run = build.build_trainer(settings, options_, corpus.dataset, Runtime(torch.device("cpu")))
        start = time.perf_counter()
        run.fit()
        seconds = time.perf_counter() - start
    tables = (run.model.words.weight.detach(), run.model.contexts.weight.detach())
    return corpus.words * corpus.epochs / seconds, *tables


def gensim(corpus: Corpus, seed: int, rate: float = GENSIM_RATE) -> tuple[float, Tensor, Tensor]:
    """Words a second of `train`, the vocabulary counted before; both tables, in our order."""
    from gensim.models import Word2Vec

    task = corpus.settings["task"]
    text = [[*map(str, document.tolist())] for document in corpus.documents["train"]]
    model = Word2Vec(
        vector_size=corpus.settings["model"]["width"],
        window=task["window"],
        negative=task["negatives"],
        ns_exponent=task["noise_power"],
        sample=task["sample"],
        sg=1,
        min_count=1,
        workers=WORKERS,
        alpha=rate,
        seed=seed + 1,
    )
    model.build_vocab(text)
    start = time.perf_counter()
    model.train(text, total_examples=len(text), epochs=corpus.epochs)
    seconds = time.perf_counter() - start
    numbers = torch.tensor([int(word) for word in model.wv.index_to_key])
    tables = []
    for found in (model.wv.vectors, model.syn1neg):
        table = torch.zeros(len(corpus.counts), found.shape[1])
        tables.append(table.index_copy_(0, numbers, torch.from_numpy(found)))
    return corpus.words * corpus.epochs / seconds, tables[0], tables[1]


def has_gensim() -> bool:
    """Whether there is anything to compare with."""
    with contextlib.suppress(ImportError):
        import gensim as _  # noqa: F401

        return True
    print("gensim is not installed (pip install gensim): ours alone")
    return False


def word2vec(rounds: int, threads: int) -> None:
    """Both by turns, a seed a round."""
    torch.set_num_threads(threads)
    corpus = Corpus(tempfile.mkdtemp())
    pairs = corpus.pairs("test")
    losses: dict[str, list[float]] = {}

    def case(name: str, train: Any) -> Any:
        def once() -> float:
            found = losses.setdefault(name, [])
            speed, words, contexts = train(corpus, len(found))
            found.append(corpus.loss(words, contexts, pairs))
            return speed

        return once

    cases = {}
    if has_gensim():
        cases["gensim"] = case("gensim", gensim)
    cases["zoo"] = case("zoo", zoo)
    print(
        f"{corpus.words:,} words of {int((corpus.counts > 0).sum()):,}, {corpus.epochs} epochs, "
        f"{len(pairs[0]):,} held-out pairs; {threads} threads, gensim with {WORKERS} workers"
    )
    figures = race(cases, rounds, "words/s")
    for name, found in losses.items():
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        print(f"{name:36s} test loss {statistics.mean(found):.4f} (deviation {spread:.4f})")
    if len(figures) > 1:
        ratio, low, high = paired(figures["zoo"], figures["gensim"])
        loss = statistics.mean(losses["zoo"]) / statistics.mean(losses["gensim"])
        print(f"zoo / gensim: speed {ratio:.2f} [{low:.2f} to {high:.2f}], loss {loss:.4f}")


def main(argv: list[str] | None = None) -> int:
    """The validation loss of each rate, of both."""
    values, overrides = options(argv, __doc__ or "", threads="2")
    if not values["threads"].isdecimal():
        raise UserError(f"threads={values['threads']}: expected a whole number")
    torch.set_num_threads(int(values["threads"]))
    corpus = Corpus(tempfile.mkdtemp(), *overrides)
    pairs = corpus.pairs("val")
    if has_gensim():
        for rate in GENSIM_RATES:
            _, *tables = gensim(corpus, 0, rate)
            print(f"gensim, rate {rate:<6g} validation loss {corpus.loss(*tables, pairs):.4f}")
    for rate in RATES:
        _, *tables = zoo(corpus, 0, *overrides, f"optim.lr={rate}")
        print(f"zoo, rate {rate:<9g} validation loss {corpus.loss(*tables, pairs):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(report(main))
