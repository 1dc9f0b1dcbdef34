"""How published sentence encoders pool: the files beside their weights that say so.

modules.json lists what a text passes (Sentence-BERT's layout): the network, the pooling, perhaps a
normalisation; sentence_bert_config.json states how many tokens are read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.weights.files import read_json

MODULES, LENGTH = "modules.json", "sentence_bert_config.json"
PROMPTS = "config_sentence_transformers.json"
POOLS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
KNOWN = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True)
class Stated:
    """What the files say.

    Attributes:
        pool: "mean" or "cls"; None where nothing is said.
        normalize: Whether vectors are divided by their length.
        length: Tokens of a text that are read, with `[CLS]` and `[SEP]`; None for all.
        lower: Whether texts are lower-cased first.
        prompt: What is put before each text.
    """

    pool: str | None = None
    normalize: bool = False
    length: int | None = None
    lower: bool = False
    prompt: str = ""


def read_stated(folder: Path) -> Stated:
    """What the files of a folder say; nothing where there are none.

    Raises:
        UserError: A part between network and vector that is not read: another pooling, a layer.
    """
    if not (folder / MODULES).is_file():
        return Stated()
    try:
        return _read(folder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: how it pools cannot be read: {error!r}") from None


def _read(folder: Path) -> Stated:
    modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
    kinds = {str(module["type"]).rpartition(".")[2]: folder / module["path"] for module in modules}
    if others := [kind for kind in kinds if kind not in KNOWN]:
        raise UserError(
            f"{folder / MODULES}: a text passes {others[0]}, which is not read; expected only "
            f"{', '.join(KNOWN)}"
        )
    sizes = _optional(kinds.get("Transformer", folder) / LENGTH)
    prompts = _optional(folder / PROMPTS)
    length, name = sizes.get("max_seq_length"), prompts.get("default_prompt_name")
    return Stated(
        pool=_pool(kinds["Pooling"]) if "Pooling" in kinds else None,
        normalize="Normalize" in kinds,
        length=None if length is None else int(length),
        lower=bool(sizes.get("do_lower_case")),
        prompt=str(prompts["prompts"][name]) if name else "",
    )


def _optional(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _pool(folder: Path) -> str:
    """The one way of pooling that its config.json switches on."""
    config = read_json(folder / "config.json")
    if isinstance(mode := config.get("pooling_mode"), str):
        modes = [mode]
    else:
        switched = [k for k, on in config.items() if k.startswith("pooling_mode_") and on is True]
        modes = [POOLS.get(name, name) for name in switched]
    if len(modes) != 1 or modes[0] not in POOLS.values():
        raise UserError(f"{folder}: pooling by {' and '.join(modes)}; expected mean or cls")
    if config.get("include_prompt") is False:
        raise UserError(f"{folder}: pooling without the prompt's tokens is not known")
    return modes[0]
