"""`python scripts/export.py run=... format=... out=...`: a trained model, for other programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.commands.arguments import options
from zoo.commands.evaluate import modules
from zoo.errors import UserError, report, unknown_name
from zoo.files import atomic_folder, user_path
from zoo.runs.find import find_run

if TYPE_CHECKING:
    from zoo.restore import Restored

USAGE = """\
python scripts/export.py run=outputs/<name>/<date_time> format=... out=folder [checkpoint=best]

Export a trained model for other programs. An adapter is merged into the base model, except with
format=peft.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
format=      safetensors   weights with our names, options and tokenizer: init.from reads it
             hf            the format of the Hugging Face Hub, for `transformers`: gpt, bert, resnet
             peft          only the adapter, for PEFT
             onnx          a graph, compared with the model; batch size and length are dynamic
             int8          the same in 8 bits; prints the change in size, speed and metrics
             torch_export  a graph for torch.export.load, which does not need Zoo
out=         the folder to create
checkpoint=  best (default), last, a step, or the name of a checkpoint
base=        the weights that a LoRA run's adapter belongs to, if they have moved
plugins=     [modules] to import first; those in the run's config are not imported by default
"""
README = "README.md"
Write = Callable[["Restored", Path], str]


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"checkpoint": "best", "plugins": "[]", "base": ""}
    values, overrides = options(argv, USAGE, run=..., format=..., out=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': a run is exported as trained; give only run=")
    if values["format"] not in FORMATS:
        raise UserError(unknown_name("format", values["format"], FORMATS))
    out = user_path(values["out"])
    if out.exists():
        raise UserError(f"out={out} exists already; name a folder that is not there yet")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.adapters.lora import fold
    from zoo.restore import restore
    from zoo.weights.card import model_card

    plugins, base = modules(values["plugins"]), values["base"]
    restored = restore(run, values["checkpoint"], "cpu", plugins, base=base)
    if values["format"] != "peft":
        fold(restored.model)
    try:
        with atomic_folder(out) as folder:
            usage = FORMATS[values["format"]](restored, folder)
            card = model_card(restored.run, restored.config, usage.splitlines()[0])
            (folder / README).write_text(card, encoding="utf-8")
    except OSError as error:
        raise UserError(f"out={out} cannot be made: {error.strerror or error}") from None
    print(usage)
    for file in sorted(out.iterdir()):
        print(f"  {out / file.name}  {file.stat().st_size / 1e6:,.1f} MB")
    return 0


def _options(restored: "Restored") -> dict[str, Any]:
    """All that a model was built with: facts, and options, which win."""
    chosen = {k: v for k, v in restored.config.model.items() if k != "name"}
    return restored.facts | chosen


def _weights(restored: "Restored") -> dict[str, Any]:
    """The model's tensors, each once."""
    from zoo.training.checkpoint import model_tensors

    return model_tensors(restored.model.state_dict())


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def safetensors(restored: "Restored", folder: Path) -> str:
    """Our own form."""
    from safetensors.torch import save_file

    from zoo.weights.source import OPTIONS, TOKENIZER

    settings = restored.config.model
    facts = {k: restored.facts[k] for k in ("block_size",) if k in restored.facts}
    save_file(_weights(restored), folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / OPTIONS, {"model": settings["name"], "settings": facts | settings})
    tokenizer = restored.encoding.tokenizer
    if tokenizer is not None:
        _write_json(folder / TOKENIZER, tokenizer.to_json())
    return "Weights by Zoo's names: `init.from=<this folder>`."


def hf(restored: "Restored", folder: Path) -> str:
    """A folder that `transformers` loads."""
    from safetensors.torch import save_file

    from zoo.weights.hf_tokenizer import tokenizer_json
    from zoo.weights.source import FAMILIES

    name, chosen = restored.config.model["name"], _options(restored)
    problems = []
    for family in (family for family in FAMILIES if family.model == name):
        try:
            if {"vocab_size", "num_outputs"} <= chosen.keys():
                raise ValueError(f"{family.name}: classifiers of text have no head there")
            config = family.config(chosen)
            tensors = family.to_published(_weights(restored), chosen)
        except ValueError as error:
            problems.append(str(error))
            continue
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        _write_json(folder / "config.json", config | {"dtype": "float32"})
        tokenizer = restored.encoding.tokenizer
        content = tokenizer_json(tokenizer) if tokenizer is not None else None
        if content is not None:
            _write_json(folder / "tokenizer.json", content)
            _write_json(
                folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"}
            )
        what = config["architectures"][0]
        return f"For transformers: `{what}.from_pretrained('<this folder>')`."
    why = problems[0] if problems else f"there is no published family of model={name}"
    raise UserError(f"format=hf: {why}; take format=safetensors or onnx")


def peft(restored: "Restored", folder: Path) -> str:
    """Only the adapter."""
    from zoo.weights.adapters import family_of
    from zoo.weights.peft import dump, write_peft

    adapter = restored.config.adapter
    if adapter["name"] != "lora":
        raise UserError(f"format=peft is for adapter=lora, got adapter={adapter['name']}")
    chosen = _options(restored)
    family = family_of(restored.config.model["name"], chosen)
    base = str(restored.config.init.from_)
    dump(folder, *write_peft(restored.model, adapter, family, chosen, base))
    return "For PEFT: `PeftModel.from_pretrained(base, '<this folder>')`."


def onnx(restored: "Restored", folder: Path) -> str:
    """A graph for any runtime."""
    from zoo.weights.onnx import Inputs, write_onnx

    inputs = Inputs(restored.facts, restored.model)
    worst = write_onnx(restored.model, inputs, folder / "model.onnx")
    return (
        f"For ONNX runtimes: inputs {', '.join(inputs.names)}; batch size and length are dynamic.\n"
        f"onnxruntime gives the model's logits within {worst:.1g}"
    )


def int8(restored: "Restored", folder: Path) -> str:
    """The graph in 8 bits, and how size, speed and metrics change."""
    from zoo.commands.int8 import compare_int8

    return compare_int8(restored, folder)


def torch_export(restored: "Restored", folder: Path) -> str:
    """A graph that needs only torch."""
    import torch

    from zoo.weights.onnx import Inputs, export_program, quiet

    inputs = Inputs(restored.facts, restored.model)
    program = export_program(restored.model, inputs)
    with quiet():
        torch.export.save(program, folder / "model.pt2")
    return "`torch.export.load('model.pt2').module()`, no Zoo; batch size and length are dynamic."


FORMATS: dict[str, Write] = {
    write.__name__: write for write in (safetensors, hf, peft, onnx, int8, torch_export)
}
