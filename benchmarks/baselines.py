"""Test metrics of scikit-learn's classical models, on the same splits as the recipes.

    python scripts/baselines.py [seeds=0,1,2,3,4] [root=data]

A network that does no better than these is not worth training.
"""

import statistics
from collections.abc import Callable
from typing import Any

from zoo.commands.arguments import options
from zoo.config import compose
from zoo.errors import UserError


def estimators() -> dict[str, tuple[str, Callable[[], Any]]]:
    """By experiment: the classical model's name, and how to make one."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC, LinearSVC

    tfidf = dict(sublinear_tf=True, min_df=2, ngram_range=(1, 2))  # words and pairs of words
    strengths = [10 ** (k / 5) for k in range(-15, 16)]
    return {
        "neuron_rain": ("logistic regression", lambda: LogisticRegression()),
        "mlp_digits": ("RBF support vectors", lambda: SVC(C=10, gamma=0.01)),
        "mlp_diabetes": ("ridge regression", lambda: RidgeCV(strengths)),
        "mlp_breast_cancer": ("logistic regression", lambda: LogisticRegression()),
        "lstm_topics": (
            "TF-IDF, linear SVM",
            lambda: make_pipeline(TfidfVectorizer(**tfidf), LinearSVC(C=0.3)),
        ),
    }


def score(experiment: str, make: Callable[[], Any], seed: int, root: str) -> float:
    """Test accuracy, or R² for regression, of a model fitted on the training split of a seed."""
    from zoo.build import build_dataset

    data = compose.load([f"experiment={experiment}", f"seed={seed}"]).data
    dataset = build_dataset(data | ({"root": root} if "root" in data else {}))
    train, test = (samples(dataset, split) for split in ("train", "test"))
    return float(make().fit(*train).score(*test))


def samples(dataset: Any, split: str) -> tuple[Any, Any]:
    """Inputs and targets of a split as the networks get them; texts as strings of their tokens."""
    import torch

    source = dataset.splits[split]
    batch = dataset.encoding.prepare(source.fetch(torch.arange(len(source))))
    targets = batch["target"].flatten().numpy()
    if (tokenizer := dataset.encoding.tokenizer) is None:
        return batch["input"].flatten(1).numpy(), targets
    return [tokenizer.decode(row) for row in batch["input"].tolist()], targets


def main(argv: list[str] | None = None) -> int:
    """Fit and print a table."""
    values, overrides = options(argv, __doc__ or "", seeds="0,1,2,3,4", root="data")
    if overrides or not all(seed.strip().isdigit() for seed in values["seeds"].split(",")):
        raise UserError(f"got {' '.join(overrides) or values['seeds']}: expected seeds=0,1,2")
    seeds = [int(seed) for seed in values["seeds"].split(",")]
    print(f"{'data of':20s} {'classical model':22s} {'test':>8s} {'deviation':>10s}")
    for experiment, (name, make) in estimators().items():
        scores = [score(experiment, make, seed, values["root"]) for seed in seeds]
        deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(f"{experiment:20s} {name:22s} {statistics.mean(scores):8.4f} {deviation:10.4f}")
    return 0
