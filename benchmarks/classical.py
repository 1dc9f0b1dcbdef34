"""The classical model that is usual for a recipe's data, fitted and tested on the same splits.

What is usual follows from the task: the best on held-out data of logistic regression, a
support vector machine and boosted trees for tables and images, a linear support vector machine on
TF-IDF for texts, ridge regression and its likes for numbers, n-grams for language models. Seq2seq
and word vectors have none of a few lines.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.kneser_ney import NGrams
from zoo.config.run import RunConfig

LARGE = 20_000  # samples: a support vector machine then takes minutes, and is not tuned
SMALL = 2_000  # samples
ORDERS = (3, 4, 5, 6, 7)


class Outcome(NamedTuple):
    """How well a classical model did.

    Attributes:
        name: Of the model.
        metrics: As a run names them, such as "test/accuracy".
        trivial: The same metrics of an answer that does not look at the input, and its name.
    """

    name: str
    metrics: dict[str, float]
    trivial: tuple[str, dict[str, float]]


Candidate = tuple[str, Callable[[], Any]]


def classical(config: RunConfig, root: str) -> Outcome | None:
    """Fit what is usual on the training split of a config; None where nothing is.

    Args:
        config: A recipe's.
        root: Where downloads lie.
    """
    measure = {
        "classification": _classification,
        "regression": _regression,
        "causal_lm": _language_model,
        "masked_lm": _masked,
    }.get(config.task["name"])
    if measure is None:
        return None
    from threadpoolctl import threadpool_limits

    from zoo.build import build_dataset

    data = config.data | ({"root": root} if "root" in config.data else {})
    with threadpool_limits(1):  # boosted trees wait for each other where processors are shared
        return measure(build_dataset(data), config)


def _classification(dataset: Any, config: RunConfig) -> Outcome:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    if dataset.encoding.tokenizer is not None:
        return _best(dataset, list(_text_classifiers()), "test/accuracy")
    shape = dataset.facts["input_shape"]
    large = len(dataset.splits["train"]) > LARGE
    candidates: list[Candidate] = []
    if not large:  # scikit-learn's default strength first: it wins a tie
        candidates += [
            ("logistic regression", partial(LogisticRegression, C=c, max_iter=2000))
            for c in (1, 0.1, 10)
        ]
    candidates += [
        ("support vector machine", partial(SVC, C=c, cache_size=1000))
        for c in ((10,) if large else (1, 10, 100))
    ]
    if len(shape) == 1:
        candidates.append(("boosted trees", lambda: HistGradientBoostingClassifier(random_state=0)))
    return _best(dataset, candidates, "test/accuracy")


def _text_classifier(strength: float, least: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=least)  # pairs too
    return make_pipeline(words, LinearSVC(C=strength))


def _text_classifiers() -> Iterator[Candidate]:
    for strength in (0.1, 0.3, 1):
        for least in (1, 2):
            yield (
                "TF-IDF, linear SVM",
                partial(_text_classifier, strength, least),
            )


def _regression(dataset: Any, config: RunConfig) -> Outcome:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.svm import SVR

    strengths = [10 ** (k / 5) for k in range(-15, 16)]
    candidates: list[Candidate] = [
        ("ridge regression", lambda: RidgeCV(strengths)),
        ("boosted trees", lambda: HistGradientBoostingRegressor(random_state=0)),
        *(("support vector machine", partial(SVR, C=c)) for c in (1, 0.1, 10)),
    ]
    return _best(dataset, candidates, "test/r2")


def _best(dataset: Any, candidates: list[Candidate], metric: str) -> Outcome:
    """The best candidate, fitted on the training split and scored on the test split.

    Few samples choose by cross-validation in the training split, since their validation split is
    too small to tell candidates apart.
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.model_selection import cross_val_score

    train, val, test = (_samples(dataset, split) for split in ("train", "val", "test"))
    numbers = metric == "test/r2"
    folds = 10 if numbers else min(10, int(np.unique(train[1], return_counts=True)[1].min()))
    scores: list[float] = []
    for _, make in candidates if len(candidates) > 1 else ():
        if len(train[1]) < SMALL:
            scores.append(cross_val_score(make(), *train, cv=folds).mean())
        else:
            scores.append(make().fit(*train).score(*val))
    name, make = candidates[int(np.argmax(scores)) if scores else 0]
    dummy = DummyRegressor() if numbers else DummyClassifier(strategy="most_frequent")
    trivial = {metric: float(dummy.fit(*train).score(*test))}
    named = ("mean target" if numbers else "majority class", trivial)
    return Outcome(name, {metric: float(make().fit(*train).score(*test))}, named)


def _samples(dataset: Any, split: str) -> tuple[Any, Any]:
    """Inputs and targets of a split as the networks get them; texts as strings of their tokens."""
    import torch

    source = dataset.splits[split]
    batch = dataset.encoding.prepare(source.fetch(torch.arange(len(source))))
    targets = batch["target"].flatten().numpy()
    if (tokenizer := dataset.encoding.tokenizer) is None:
        return batch["input"].flatten(1).numpy(), targets
    return [tokenizer.decode(row) for row in batch["input"].tolist()], targets


def _language_model(dataset: Any, config: RunConfig) -> Outcome | None:
    """Bits per byte of n-grams; the order is chosen on the last tenth of the training text."""
    facts = dataset.facts | dataset.encoding.runtime_facts
    if not hasattr(dataset.splits["train"], "tokens"):
        return None  # prompts and answers
    train = np.asarray(dataset.splits["train"].tokens[:])
    size, cut = facts["vocab_size"], len(train) * 9 // 10
    trials = (NGrams(train[:cut], size, k).log_probabilities(train[cut:]).sum() for k in ORDERS)
    order = ORDERS[int(np.argmax(list(trials)))]
    length = np.asarray(facts["token_bytes"])
    metrics, trivial = (_scores(NGrams(train, size, k), dataset, length) for k in (order, 1))
    return Outcome(f"{order}-gram, Kneser-Ney", metrics, ("unigram", trivial))


def _scores(model: NGrams, dataset: Any, length: NDArray[Any]) -> dict[str, float]:
    """Loss and bits per byte of the splits; `length`: bytes of each token."""
    metrics = {}
    for split in ("val", "test"):
        tokens = np.asarray(dataset.splits[split].tokens[:])
        nats = -model.log_probabilities(tokens)[1:]
        bits = nats.sum() / math.log(2)
        metrics[f"{split}/loss"] = float(nats.mean())
        metrics[f"{split}/bits_per_byte"] = float(bits / length[tokens[1:]].sum())
    return metrics


def _masked(dataset: Any, config: RunConfig) -> Outcome:
    from benchmarks.masked_baselines import BASELINES, fitted_mixture, masked_tokens

    mixture, task = fitted_mixture(dataset, config)
    test = masked_tokens(dataset, task, "test")
    best, unigram = (
        {"test/accuracy": mixture.accuracy(test, b.weights)} for b in (BASELINES[-1], BASELINES[0])
    )
    return Outcome("trigram, both sides", best, ("most frequent token", unigram))
