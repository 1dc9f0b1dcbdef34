"""word2vec compared with gensim: words per second and held-out loss, on the same text.

Both learn skip-gram vectors of the words of `experiment=word2vec_pydoc`: same words, width, window,
negatives, sub-sampling and epochs; gensim with two workers, Zoo through `train.py`'s own trainer.
gensim is measured where it is installed (`pip install gensim`).
"""

import contextlib
import importlib.util
import io
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.corpus import Corpus
from benchmarks.interleave import Case, format_ratio, run_interleaved
from zoo import build
from zoo.config import compose
from zoo.training.runtime import Runtime

WORKERS = 2
GENSIM_RATE = 0.035  # the best of GENSIM_RATES on the validation split
GENSIM_RATES = (0.015, 0.025, 0.035, 0.05, 0.075)
RATES = (0.15, 0.2, 0.25, 0.3, 0.4)
Trained = tuple[float, Tensor, Tensor]  # words per second, word vectors, context vectors


def word2vec(rounds: int, threads: int) -> None:
    """Interleaved, one seed per round; the loss on the test split."""
    torch.set_num_threads(threads)
    corpus = Corpus(tempfile.mkdtemp())
    pairs = corpus.pairs("test")
    losses: dict[str, list[float]] = {}

    def case(name: str, train: Callable[[Corpus, int], Trained]) -> Case:
        values = losses.setdefault(name, [])

        def train_next_seed() -> float:
            speed, words, contexts = train(corpus, len(values))
            values.append(corpus.loss(words, contexts, pairs))
            return speed

        return train_next_seed

    cases = {"gensim": case("gensim", train_gensim)} if has_gensim() else {}
    cases["zoo"] = case("zoo", train_zoo)
    print(
        f"{corpus.words:,} words of {int((corpus.counts > 0).sum()):,}, {corpus.epochs} epochs, "
        f"{len(pairs[0]):,} held-out pairs; {threads} threads, gensim with {WORKERS} workers"
    )
    speeds = run_interleaved(cases, rounds, "words/s")
    for name, values in losses.items():
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.mean(values)
        print(f"{name:36s} test loss {mean:.4f} (standard deviation {deviation:.4f})")
    if "gensim" in speeds:
        speed = format_ratio(speeds["zoo"], speeds["gensim"])
        loss = statistics.mean(losses["zoo"]) / statistics.mean(losses["gensim"])
        print(f"zoo / gensim: speed {speed}, loss {loss:.4f}")


def word2vec_rates(threads: int, overrides: list[str]) -> None:
    """The validation loss of each learning rate, on both sides."""
    torch.set_num_threads(threads)
    corpus = Corpus(tempfile.mkdtemp(), *overrides)
    pairs = corpus.pairs("val")
    if has_gensim():
        for rate in GENSIM_RATES:
            _, words, contexts = train_gensim(corpus, 0, rate)
            loss = corpus.loss(words, contexts, pairs)
            print(f"gensim, rate {rate:<6g} validation loss {loss:.4f}")
    for rate in RATES:
        _, words, contexts = train_zoo(corpus, 0, *overrides, f"optim.lr={rate}")
        loss = corpus.loss(words, contexts, pairs)
        print(f"zoo, rate {rate:<9g} validation loss {loss:.4f}")


def train_zoo(corpus: Corpus, seed: int, *overrides: str) -> Trained:
    """Words per second of the trainer's `fit`, validation and checkpoints included; both tables."""
    output_dir = f"output_dir={corpus.config.output_dir}"
    config = compose.load(
        ["experiment=word2vec_pydoc", f"seed={seed}", "trainer.device=cpu", output_dir, *overrides]
    )
    with contextlib.redirect_stdout(io.StringIO()):
        run = build.build_trainer(config, corpus.dataset, Runtime(torch.device("cpu")))
        start = time.perf_counter()
        run.fit()
        seconds = time.perf_counter() - start
    words, contexts = (getattr(run.model, name).weight.detach() for name in ("words", "contexts"))
    return corpus.words * corpus.epochs / seconds, words, contexts


def train_gensim(corpus: Corpus, seed: int, rate: float = GENSIM_RATE) -> Trained:
    """Words per second of `train`, the vocabulary counted before; both tables, in Zoo's order."""
    from gensim.models import Word2Vec

    task = corpus.config.task
    text = [[*map(str, document.tolist())] for document in corpus.documents["train"]]
    model = Word2Vec(
        vector_size=corpus.config.model["width"],
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
    ids = torch.tensor([int(word) for word in model.wv.index_to_key])
    words, contexts = (
        torch.zeros(len(corpus.counts), vectors.shape[1]).index_copy_(
            0, ids, torch.from_numpy(vectors)
        )
        for vectors in (model.wv.vectors, model.syn1neg)
    )
    return corpus.words * corpus.epochs / seconds, words, contexts


def has_gensim() -> bool:
    """Whether gensim is installed; says so where it is not."""
    if importlib.util.find_spec("gensim"):
        return True
    print("gensim is not installed (pip install gensim): Zoo alone")
    return False
