"""Builds a dataset from the settings of the `data` group."""

from dataclasses import replace
from typing import Any

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.encoding import load_encoding
from zoo.data.images.augment import Augment
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.files import user_path
from zoo.registry import DATASETS
from zoo.schema import bind

SPLIT_KEYS = ("val_fraction", "test_fraction", "split_seed", "folds", "fold")
TOKENIZER_KEYS = ("tokenizer", "vocab_size", "min_count", "mask_token")
SHARED_KEYS = {"root": ("root",), "augment": ("augment",), "tokenizer": TOKENIZER_KEYS}


def build_dataset(
    data: dict[str, Any],
    encoding: dict[str, Any] | None = None,
    tokenizer: Any = None,
    online: bool = True,
    resumes: bool = False,
) -> Dataset:
    """The dataset that `data` names.

    Args:
        data: The group's settings.
        encoding: Fitted by a run on its training rows, to be used instead of fitting again.
        tokenizer: To be used instead of training one, of the weights that training starts from.
        online: Whether names on a hub may be looked up, not only those in the cache: no orders are
            taken from the config of a run.
        resumes: Whether the run of `encoding` is to be trained further.
    """
    uses = DATASETS[data["name"]].uses if data.get("name") else ()
    keys = {"batch_size", "workers", *SPLIT_KEYS}.union(*(SHARED_KEYS[use] for use in uses))
    shared = {key: value for key, value in data.items() if key in keys}
    context = _data_context(shared, data.get("name", ""), tokenizer)
    if encoding is not None:
        context = replace(context, encoding=load_encoding(encoding))
    context = replace(context, online=online, resumes=resumes)
    options = {key: value for key, value in data.items() if key not in keys}
    return DATASETS.build(options, context=context)


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
    root = {"root": shared["root"]} if "root" in shared else {}
    root = {k: str(user_path(v)) if isinstance(v, str) else v for k, v in root.items()}
    return DataContext(**bind(DataContext, root, facts, "data", name))
