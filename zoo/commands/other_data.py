"""The data that a run is evaluated on: its own, changed, or other data."""

from typing import Any

from zoo.config import groups as configs
from zoo.config.declared import declared_type, fits
from zoo.config.run import SPLIT_KEYS, Options
from zoo.errors import UserError
from zoo.runs.settings import format_value
from zoo.schema import type_mismatch

SAME_DATA = (
    "root", "batch_size", "workers", "cache_gb", "max_pixels", "on_broken", "test_shift",
)  # fmt: skip
AS_TRAINED = (  # a run's own ones are taken, whatever is given
    "block_size", "max_length", "template", "chat_template", "verifier", "columns", "drop",
    "numeric", "categorical", "texts", "max_words", "separator",
)  # fmt: skip
CHANGES = {"test_shift": ("test", "all"), "label_noise": ("train",)}  # splits, by setting
TEXT_FORM = ("tokenizer", "vocab_size", "min_count", "mask_token", "block_size")


def data_settings(trained: Options, overrides: list[str]) -> tuple[Options, bool]:
    """The data to evaluate on, and whether it is other data than the run's.

    Args:
        trained: The run's.
        overrides: `data=NAME`, `data.key=value`.

    Raises:
        UserError: Another group is changed; an unknown key; a setting that the run's model rules
            out.
    """
    for override in overrides:
        if configs.key_of(override).split(".")[0] != "data":
            raise UserError(
                f"'{override}': a run is evaluated as it was trained; only data=NAME and "
                f"data.key=value may be given"
            )
    if any(configs.key_of(override) == "data" for override in overrides):
        from zoo.config.compose import load  # and Hydra with it

        data = _as_trained(load(overrides).data, trained, overrides)
        _check_as_trained(trained, data, overrides)
        return data, True
    from zoo.build import added_settings

    data, other = added_settings(trained["name"]) | trained, False
    for override in overrides:
        key = configs.key_of(override).removeprefix("data.")
        if key == "name":
            raise UserError(f"'{override}': other data are chosen by data=NAME")
        if key not in data:
            raise UserError(configs.unknown_key(f"data.{key}", [f"data.{k}" for k in data]))
        before, data[key] = data[key], setting(override, data[key])
        other = other or (key not in SAME_DATA and data[key] != before)
    _check_as_trained(trained, data, overrides)
    return data, other


def _check_as_trained(trained: Options, data: Options, overrides: list[str]) -> None:
    """Refuse settings that would change nothing: input is read as in training."""
    for override in overrides:
        key = configs.key_of(override).removeprefix("data.")
        if key in AS_TRAINED and key in trained and data[key] != trained[key]:
            raise UserError(
                f"'{override}': a run reads its input as in training, with data.{key}="
                f"{format_value(trained[key])}; leave it out"
            )


def without_effect(trained: Options, data: Options, split: str) -> list[str]:
    """Lines on settings that are not the run's, and that change other splits alone."""
    return [
        f"data.{name}={format_value(data[name])} has no effect on split={split}: it changes "
        f"{' and '.join(splits)} alone"
        for name, splits in CHANGES.items()
        if split not in splits and data.get(name) and data[name] != trained.get(name, 0)
    ]


def split_differently(trained: Options, data: Options) -> list[str]:
    """Settings of the split that are not the run's, `data.split_seed=7`."""
    differing = [name for name in SPLIT_KEYS if data.get(name) != trained.get(name)]
    return [f"data.{name}={format_value(data.get(name))}" for name in differing]


def is_same_file(trained: Options, data: Options) -> bool:
    """Whether data are the run's own file, read alike, however it is divided."""
    free = {*SPLIT_KEYS, *SAME_DATA, "train_size", "label_noise"}
    names = (trained.keys() | data.keys()) - free
    has_file = any(data.get(name) is not None for name in ("path", "source"))
    return has_file and all(trained.get(name) == data.get(name) for name in names)


def setting(override: str, trained: Any) -> Any:
    """The value of an override of the data, of the type that is declared, or else the run's.

    Raises:
        UserError: It is of another type.
    """
    from zoo.config.text import read  # and Hydra's grammar with it

    key, text = configs.key_of(override), override.partition("=")[2]
    kind = declared_type(key) or (str if isinstance(trained, str) else None)
    value = read(text, kind)
    if not fits(value, kind):
        raise UserError(type_mismatch(key, value, kind))
    return value


def _as_trained(data: Options, trained: Options, overrides: list[str]) -> Options:
    """Other data with the run's tokenizer and text lengths, unless the user sets them."""
    typed = {configs.key_of(override).removeprefix("data.") for override in overrides}
    keys = [key for key in TEXT_FORM if key in data and key in trained and key not in typed]
    return data | {key: trained[key] for key in keys}
