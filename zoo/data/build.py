"""Builds a dataset from the settings of the `data` group."""

from dataclasses import fields, replace
from typing import Any

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.encoding import load_encoding
from zoo.data.images.augment import Augment
from zoo.data.images.moved import SPLITS as MOVED
from zoo.data.label_noise import number_replaced
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.files import user_path
from zoo.registry import DATASETS
from zoo.schema import bind

SPLIT_KEYS = tuple(field.name for field in fields(Split))  # `train_size` among them
TOKENIZER_KEYS = ("tokenizer", "vocab_size", "min_count", "mask_token")
LABEL_KEYS = ("train_size", "label_noise", "spread_labels")
CONTEXT_KEYS = ("root", "label_noise", "test_shift")  # as `DataContext` names them
SHARED_KEYS = {
    "root": ("root",),
    "augment": ("augment", "test_shift"),
    "labels": LABEL_KEYS,
    "tokenizer": TOKENIZER_KEYS,
}
ADDED = {  # which older runs lack
    "train_size": None,
    "label_noise": 0.0,
    "test_shift": 0,
    "spread_labels": False,
}


def build_dataset(
    data: dict[str, Any],
    encoding: dict[str, Any] | None = None,
    tokenizer: Any = None,
    online: bool = True,
    resumes: bool = False,
    max_samples: int | None = None,
) -> Dataset:
    """The dataset that `data` names.

    Args:
        data: The group's settings.
        encoding: Fitted by a run on its training rows, to be used instead of fitting again.
        tokenizer: To be used instead of training one, of the weights that training starts from.
        online: Whether names on a hub may be looked up, not only those in the cache: no orders are
            taken from the config of a run.
        resumes: Whether the run of `encoding` is to be trained further.
        max_samples: Samples of each split that will be used; None for all.
    """
    uses = DATASETS[data["name"]].uses if data.get("name") else ()
    keys = {"batch_size", "workers", *SPLIT_KEYS} - {"train_size"}
    keys = keys.union(*(SHARED_KEYS[use] for use in uses))
    shared = {key: value for key, value in data.items() if key in keys}
    context = _data_context(shared, data.get("name", ""), tokenizer)
    if encoding is not None:
        context = replace(context, encoding=load_encoding(encoding))
    context = replace(context, online=online, resumes=resumes, max_samples=max_samples)
    off = {key for key, value in ADDED.items() if data.get(key, value) == value}
    options = {key: value for key, value in data.items() if key not in keys | off}
    dataset = DATASETS.build(options, context=context)
    dataset.altered = _altered(context, dataset)
    if context.is_new:
        dataset.notes += [line for lines in dataset.altered.values() for line in lines]
    return dataset


def added_settings(name: str) -> dict[str, Any]:
    """Settings that a dataset has and that runs of before they were added lack, as they are off."""
    keys = {key for use in DATASETS[name].uses for key in SHARED_KEYS[use]}
    return {key: value for key, value in ADDED.items() if key in keys}


def _altered(context: DataContext, dataset: Dataset) -> dict[str, list[str]]:
    """Lines on what the settings change of a split, by its name."""
    altered, size = {}, sum(dataset.facts.get("tag_counts", ())) or len(dataset.splits["train"])
    if context.label_noise and size:
        number = number_replaced(context.label_noise, size)
        altered["train"] = [
            f"data.label_noise={context.label_noise:g}: {number:,} of {size:,} training labels are "
            f"replaced by another class"
        ]
    if context.test_shift:
        setting = f"data.test_shift={context.test_shift}"
        for name in MOVED & dataset.splits.keys():
            altered[name] = [f"{setting}: the images of split={name} are moved by so many pixels"]
    return altered


def _data_context(shared: dict[str, Any], name: str, tokenizer: Any) -> DataContext:
    """The settings that datasets share, as a builder takes them."""
    facts: dict[str, Any] = {"workers": shared.get("workers", 0)}
    facts["split"] = Split(**{key: shared[key] for key in SPLIT_KEYS if key in shared})
    if "augment" in shared:
        options = bind(Augment, shared["augment"], {}, "data.augment", name)
        facts["augment"] = Augment(**options)
    if "tokenizer" in shared:
        options = {key: shared[key] for key in TOKENIZER_KEYS if key in shared}
        options = bind(TokenizerConfig, options, {"given": tokenizer}, "data", name)
        facts["tokenizer"] = TokenizerConfig(**options)
    own = {key: shared[key] for key in CONTEXT_KEYS if key in shared}
    if isinstance(own.get("root"), str):
        own["root"] = str(user_path(own["root"]))
    return DataContext(**bind(DataContext, own, facts, "data", name))
