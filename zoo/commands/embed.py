"""`scripts/predict.py embed=mean`: vectors of texts, and how near they are to the first.

Of a run of `model=bert`, or of published weights, which need no run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zoo.commands.arguments import modules, options, switch
from zoo.commands.lines import texts as _texts
from zoo.errors import UserError, unknown_name
from zoo.files import atomic_write, user_path
from zoo.runs.find import find_run
from zoo.terminal import warn
from zoo.text_table import text_table

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from zoo.tasks.sentences import HasTokenVectors
    from zoo.training.precision import Precision
    from zoo.weights.sentences import Stated

DEFAULTS = {
    "checkpoint": "best", "device": "auto", "json": "false", "plugins": "[]", "base": "",
    "out": "",
}  # fmt: skip
SOURCES = {"run": "", "init.from": ""}
ENDING = ".npz"
SHOWN, LETTERS = 3, 60  # numbers of a vector, letters of a text; in a table


@dataclass(frozen=True)
class Encoder:
    """What makes a vector of a text.

    Attributes:
        model: In evaluation mode.
        tokenizer: Of its texts.
        length: Tokens that it reads at most.
        device: Of the model.
        precision: It computes in.
        stated: What published files say about pooling.
        name: For messages.
    """

    model: "HasTokenVectors"
    tokenizer: Any
    length: int | None
    device: "torch.device"
    precision: "Precision"
    stated: "Stated"
    name: str

    def vectors(self, texts: Sequence[str], pool: str) -> "Tensor":
        """One of each text, (N, D).

        Raises:
            UserError: A text without tokens, or without the first one that `cls` reads.
        """
        import torch
        import torch.nn.functional as F

        from zoo.tasks.sentences import Pool, sentence_vectors

        if self.stated.pool not in (None, pool):
            warn(f"{self.name} was trained with embed={self.stated.pool}")
        rows = [self._row(text, pool) for text in texts]
        with torch.no_grad(), self.precision.autocast():
            vectors = sentence_vectors(self.model, rows, cast(Pool, pool), self.device).float()
        return F.normalize(vectors, dim=1) if self.stated.normalize else vectors

    def _row(self, text: str, pool: str) -> list[int]:
        text = self.stated.prompt + text
        text = text.lower() if self.stated.lower else text
        ids = self.tokenizer.encode(text)
        whole = self.tokenizer.wrap(ids, len(ids) + 2)
        row = whole if self.length is None else self.tokenizer.wrap(ids, self.length)
        if not len(row):
            raise UserError(f"input='{text}' has no token; give a text")
        if not len(ids):
            warn(f"'{_short(text)}' has no token of its own: its vector says nothing")
        if pool == "cls" and row[0] != self.tokenizer.first_special:
            raise UserError(f"embed=cls: texts of {self.name} begin with no [CLS]; take embed=mean")
        if len(row) < len(whole):
            warn(f"'{_short(text)}' has {len(whole)} tokens; the first {len(row)} are read")
        if self.tokenizer.knows_nothing(text):
            warn(f"the vocabulary knows nothing of '{_short(text)}': its vector says nothing")
        return row.tolist()


def main(argv: list[str], usage: str) -> int:
    """Print or write the vectors of texts; the exit code.

    Args:
        argv: Of `scripts/predict.py`, with `embed=`.
        usage: Its help.

    Raises:
        UserError: An option, a text or a model that does not fit.
    """
    inputs = [a.partition("=")[2] for a in argv if a.startswith("input=")]
    values, overrides = options(argv, usage, embed=..., input=..., **SOURCES, **DEFAULTS)
    if overrides:
        raise UserError(f"'{overrides[0]}': a model predicts as it was trained; give only input=")
    pool, as_json = values["embed"], switch(values, "json")
    if pool not in ("mean", "cls"):
        raise UserError(unknown_name("embed", pool, ["mean", "cls"]))
    if bool(values["run"]) == bool(values["init.from"]):
        raise UserError("embed= needs run= or init.from=, one of both: a run, or published weights")
    path = _free(values["out"]) if values["out"] else None
    encoder = of_weights(values) if values["init.from"] else of_run(values)
    texts = list(chain.from_iterable(map(_texts, inputs)))
    if not texts:
        raise UserError("input=-: the standard input holds no text")
    vectors = encoder.vectors(texts, pool)
    if path is not None:
        save(path, texts, vectors)
        print(json.dumps({"file": str(path)}) if as_json else f"{path}: {_size(vectors)}")
    else:
        show(texts, vectors, as_json)
    return 0


def of_run(values: dict[str, Any]) -> Encoder:
    """The trained network of a run.

    Raises:
        UserError: It is not one of texts that gives a vector for each token.
    """
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.adapters.lora import fold
    from zoo.restore import restore
    from zoo.tasks.base import context_of
    from zoo.weights.sentences import Stated

    names = modules(values["plugins"])
    restored = restore(run, values["checkpoint"], values["device"], names, warn, values["base"])
    fold(restored.model)
    tokenizer, model = restored.encoding.tokenizer, restored.model
    _check(model, restored.config.model["name"])
    assert tokenizer is not None  # of a model that embeds tokens
    return Encoder(
        cast("HasTokenVectors", model),
        tokenizer,
        context_of(model),
        restored.runtime.device,
        restored.precision,
        Stated(),
        "this run",
    )


def of_weights(values: dict[str, Any]) -> Encoder:
    """Published weights, without a head.

    Raises:
        UserError: Of another model; without a tokenizer, or a number of heads.
    """
    from torch import nn

    from zoo.registry import MODELS
    from zoo.training.precision import Precision
    from zoo.training.runtime import choose_device
    from zoo.weights.load import load_weights
    from zoo.weights.sentences import read_stated
    from zoo.weights.source import open_source

    location = values["init.from"]
    source = open_source(location)
    if source.tokenizer is None:
        raise UserError(f"init.from={location}: no tokenizer beside the weights, which texts need")
    if source.model != "bert":
        raise UserError(f"embed= needs weights of model=bert; those are of model={source.model}")
    if source.settings["heads"] is None:
        raise UserError(f"init.from={location}: no config.json tells the number of heads")
    tensors = source.unpadded
    options = {"name": source.model, **source.settings}
    model = MODELS.build(options, vocab_size=len(tensors["embedding.weight"]))
    model.head = model.transform = model.transform_norm = nn.Identity()
    wanted = {name: tensors[name] for name in model.state_dict() if name in tensors}
    load_weights(model, wanted, location, [], [])
    device = choose_device(values["device"])
    folder = source.path if source.path.is_dir() else source.path.parent
    stated = read_stated(folder)
    if stated.prompt:
        warn(f"the weights put '{stated.prompt}' before each text")
    length = min(stated.length or model.context, model.context)
    fp32 = Precision("fp32", device)
    return Encoder(
        model.to(device).eval(), source.tokenizer, length, device, fp32, stated, location
    )


def _check(model: "nn.Module", name: str) -> None:
    from zoo.tasks.sentences import HasTokenVectors

    if not isinstance(model, HasTokenVectors):
        raise UserError(f"embed= needs a run of model=bert; this one is of model={name}")


def show(texts: Sequence[str], vectors: "Tensor", as_json: bool) -> None:
    """A row for each text: of several, its cosine with the first."""
    from zoo.tasks.sentences import cosines

    near = cosines(vectors).tolist()
    if as_json:
        for text, vector, cosine in zip(texts, vectors.tolist(), near, strict=True):
            compared = {"cosine": cosine} if len(texts) > 1 else {}
            print(json.dumps({"input": text} | compared | {"vector": vector}), flush=True)
        return
    table = [["input", "cosine", f"vector of {vectors.shape[1]}"]]
    for text, vector, cosine in zip(texts, vectors.tolist(), near, strict=True):
        numbers = ", ".join(f"{number:.4f}" for number in vector[:SHOWN])
        table.append([_short(text), f"{cosine:.4f}", f"{numbers}, ..."])
    print(text_table(table if len(texts) > 1 else [[row[0], row[2]] for row in table]))


def save(path: Path, texts: Sequence[str], vectors: "Tensor") -> None:
    """An archive of NumPy: `vectors`, float32 (N, D), and `texts`, (N,).

    Raises:
        UserError: It cannot be written.
    """
    import numpy as np

    try:
        with atomic_write(path) as file:
            np.savez(file, vectors=vectors.numpy(), texts=np.array(texts))
    except OSError as error:
        raise UserError(f"out={path}: cannot be written ({error.strerror})") from None


def _free(out: str) -> Path:
    """Where to write.

    Raises:
        UserError: The name is of another kind, or taken.
    """
    path = user_path(out)
    if path.suffix != ENDING:
        raise UserError(f"out={out}: expected a name that ends with {ENDING}, as vectors{ENDING}")
    if path.exists():
        raise UserError(f"out={out} exists already; name a file that is not there yet")
    return path


def _size(vectors: "Tensor") -> str:
    return f"{len(vectors):,} vectors of {vectors.shape[1]:,} numbers"


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 3] + "..."
