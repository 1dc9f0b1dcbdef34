"""The classical models that are usual for a recipe's data, fitted and tested on the same splits.

What is usual follows from the task: logistic regression, a support vector machine and boosted trees
for tables and images, with ridge regression in place of logistic where the target is a number; a
linear support vector machine on TF-IDF for texts; n-grams for language models. Seq2seq, several
targets and word vectors have none of a few lines.

The candidates are fixed. Each kind's settings, and the kind that stands for all in the table of
results, are chosen on the training and validation splits, whatever the test split would prefer.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.kneser_ney import NGrams
from zoo.config.run import RunConfig

LARGE = 20_000  # samples: a support vector machine then takes minutes, and is not tuned
SMALL = 2_000  # samples
ORDERS = (3, 4, 5, 6, 7)


class Outcome(NamedTuple):
    """How well classical models did.

    Attributes:
        name: Of the one that held-out data chose.
        metrics: Its own, as a run names them, such as "test/accuracy".
        models: The same for each kind, where several were tried.
    """

    name: str
    metrics: dict[str, float]
    models: Mapping[str, dict[str, float]] = MappingProxyType({})


Candidate = tuple[str, Callable[[], Any]]


def classical(dataset: Any, config: RunConfig) -> Outcome | None:
    """Fit what is usual on the training split of a config's dataset; None where nothing is."""
    measure = {
        "classification": _classification,
        "regression": _regression,
        "causal_lm": _language_model,
        "masked_lm": _masked,
    }.get(config.task["name"])
    if measure is None:
        return None
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # boosted trees wait for each other where processors are shared
        return measure(dataset, config)


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
    if len(shape) == 1 or not large:
        candidates.append(("boosted trees", lambda: HistGradientBoostingClassifier(random_state=0)))
    return _best(dataset, candidates, "test/accuracy")


def _text_classifier(strength: float, least: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=least)  # pairs too
    return make_pipeline(words, LinearSVC(C=strength, random_state=0))


def _text_classifiers() -> Iterator[Candidate]:
    for strength in (0.1, 0.3, 1):
        for least in (1, 2):
            yield (
                "TF-IDF, linear SVM",
                partial(_text_classifier, strength, least),
            )


def _regression(dataset: Any, config: RunConfig) -> Outcome | None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.svm import SVR

    if dataset.facts["num_outputs"] > 1:
        return None
    strengths = [10 ** (k / 5) for k in range(-15, 16)]
    candidates: list[Candidate] = [
        ("ridge regression", lambda: RidgeCV(strengths)),
        ("boosted trees", lambda: HistGradientBoostingRegressor(random_state=0)),
    ]
    if len(dataset.splits["train"]) <= LARGE:
        candidates += [("support vector machine", partial(SVR, C=c)) for c in (1, 0.1, 10)]
    return _best(dataset, candidates, "test/r2")


def _best(dataset: Any, candidates: list[Candidate], metric: str) -> Outcome:
    """The best candidate of each kind, fitted on the training split and scored on the test split.

    Few samples choose by cross-validation in the training split, since their validation split is
    too small to tell candidates apart.
    """
    train, val, test = (_samples(dataset, split) for split in ("train", "val", "test"))
    held_out: dict[str, tuple[float, Callable[[], Any]]] = {}  # of each kind, the best
    for name, make in candidates:
        score = _held_out(make, train, val, metric) if len(candidates) > 1 else 0.0
        if name not in held_out or score > held_out[name][0]:
            held_out[name] = score, make
    models = {
        name: {metric: float(make().fit(*train).score(*test))}
        for name, (_, make) in held_out.items()
    }
    name = max(held_out, key=lambda kind: held_out[kind][0])
    return Outcome(name, models[name], models if len(models) > 1 else {})


def _held_out(make: Callable[[], Any], train: Any, val: Any, metric: str) -> float:
    """How well a candidate does on samples that it was not fitted to."""
    from sklearn.model_selection import cross_val_score

    if len(train[1]) >= SMALL:
        return float(make().fit(*train).score(*val))
    rarest = 10 if metric == "test/r2" else np.unique(train[1], return_counts=True)[1].min()
    return float(cross_val_score(make(), *train, cv=max(2, min(10, int(rarest)))).mean())


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
    metrics = _scores(NGrams(train, size, order), dataset, length)
    return Outcome(f"{order}-gram, Kneser-Ney", metrics)


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
    accuracy = mixture.accuracy(masked_tokens(dataset, task, "test"), BASELINES[-1].weights)
    return Outcome("trigram, both sides", {"test/accuracy": accuracy})
