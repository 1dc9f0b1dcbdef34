"""`python scripts/export.py run=... format=... out=...`: a trained model, for other programs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.commands.arguments import modules, options
from zoo.errors import UserError, report, unknown_name
from zoo.files import atomic_folder, user_path
from zoo.runs.find import find_run

if TYPE_CHECKING:
    from zoo.restore import Restored
    from zoo.weights.hf_folder import Trained
    from zoo.weights.onnx import Inputs

USAGE = """\
python scripts/export.py run=outputs/<name>/<date_time> format=... out=folder [checkpoint=best]

Export a trained model for other programs. An adapter is merged into the base model, except with
format=peft.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
format=      safetensors   weights with our names, options and tokenizer: init.from reads it
             hf            the format of the Hub, for `transformers`: llama, deepseek, mamba,
                           gpt, bert, resnet
             gguf          one file for llama.cpp: llama, gpt
             peft          only the adapter, for PEFT
             onnx          a graph, compared with the model; batch size and length are dynamic
             int8          the same in 8 bits; prints the change in size, speed and metrics
             torch_export  a graph for torch.export.load, which does not need Zoo
out=         the folder to create
dtype=       of the matrices in a GGUF file: f32, f16, bf16, q8_0 (8 bits); by default their own
checkpoint=  best (default), last, a step, or the name of a checkpoint
base=        the weights that a LoRA run's adapter belongs to, if they have moved
plugins=     [modules] to import first; those in the run's config are not imported by default
"""
README = "README.md"
GRAPHS = ("onnx", "int8", "torch_export")  # in 32 bits: onnxruntime lacks products in bf16
DTYPES = ("f32", "f16", "bf16", "q8_0")  # of a GGUF file
NO_GRAPH = {  # tasks whose models are no function of one input: why, and what of them is one
    "contrastive": ("it has two, of images and of texts", "`image` and `text`"),
    "diffusion": (
        "to draw, it is called at every step, with a noisy image, a time and a class",
        "one call, (images, time, classes),",
    ),
    "elbo": (
        "it answers with two distributions, of codes and of pixels",
        "`encode(images)` or `decode(codes, classes)`",
    ),
    "gan": (
        "it is two networks, and the one that draws takes noise and a class",
        "`generator(noise, classes)`",
    ),
}


@dataclass(frozen=True)
class Usage:
    """What a reader should know of an export.

    Attributes:
        files: A line on the files and how to read them.
        details: Further lines for the terminal.
        example: Python code that uses the export without Zoo, "" for none.
    """

    files: str
    details: str = ""
    example: str = ""


Write = Callable[..., Usage]
"""Of a run and a folder; gguf of the type of numbers too."""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"checkpoint": "best", "plugins": "[]", "base": "", "dtype": ""}
    values, overrides = options(argv, USAGE, run=..., format=..., out=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': a run is exported as trained; give only run=")
    if values["format"] not in FORMATS:
        raise UserError(unknown_name("format", values["format"], FORMATS))
    if values["dtype"] and values["format"] != "gguf":
        raise UserError(f"dtype={values['dtype']} is for format=gguf, not {values['format']}")
    if values["dtype"] not in ("", *DTYPES):
        raise UserError(unknown_name("dtype", values["dtype"], DTYPES))
    out = user_path(values["out"])
    if out.exists():
        raise UserError(f"out={out} exists already; name a folder that is not there yet")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore
    from zoo.weights.card import model_card
    from zoo.weights.merged import merge_own

    plugins, base = modules(values["plugins"]), values["base"]
    restored = restore(run, values["checkpoint"], "cpu", plugins, base=base)
    note = ""
    if values["format"] != "peft":
        whole = values["format"] in GRAPHS or values["dtype"] not in ("", "bf16")
        chosen, note = merge_own(restored.model, restored.config.model, whole)
        restored.config = replace(restored.config, model=chosen)
    try:
        with atomic_folder(out) as folder:
            dtype = [values["dtype"]] if values["dtype"] else []
            usage = FORMATS[values["format"]](restored, folder, *dtype)
            card = model_card(restored.run, restored.config, usage.files, usage.example)
            (folder / README).write_text(card, encoding="utf-8")
    except OSError as error:
        raise UserError(f"out={out} cannot be made: {error.strerror or error}") from None
    print("\n".join(filter(None, (usage.files, usage.details, note))))
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


def _trained(restored: "Restored", tensors: dict[str, Any]) -> "Trained":
    """What a folder for `transformers` is made of."""
    from zoo.weights.hf_folder import Trained

    name = restored.config.model["name"]
    return Trained(name, _options(restored), tensors, restored.encoding, _objective(restored))


def _objective(restored: "Restored") -> str:
    """The task whose answers the model gives: another one than it was trained by may predict."""
    return str(getattr(restored.task, "predicts_as", restored.config.task["name"]))


def _about(restored: "Restored") -> dict[str, Any]:
    """How raw data becomes the model's input."""
    from zoo.weights.raw_inputs import describe

    facts = restored.facts | {k: v for k, v in _options(restored).items() if k == "block_size"}
    return describe(restored.encoding, facts, _objective(restored))


def safetensors(restored: "Restored", folder: Path) -> Usage:
    """Our own form."""
    from safetensors.torch import save_file

    from zoo.weights.hf_folder import write_json
    from zoo.weights.source import OPTIONS, TOKENIZER

    settings = restored.config.model
    facts = {k: restored.facts[k] for k in ("block_size",) if k in restored.facts}
    save_file(_weights(restored), folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / OPTIONS, {"model": settings["name"], "settings": facts | settings})
    tokenizer = restored.encoding.tokenizer
    if tokenizer is not None:
        write_json(folder / TOKENIZER, tokenizer.to_json())
    return Usage("Weights by Zoo's names: `init.from=<this folder>`.")


def hf(restored: "Restored", folder: Path) -> Usage:
    """A folder that `transformers` loads."""
    from zoo.weights.hf_folder import write_folder
    from zoo.weights.usage import pipeline_example

    name = write_folder(_trained(restored, _weights(restored)), folder)
    about = _about(restored)
    return Usage(
        f"For transformers: `{name}.from_pretrained('<this folder>')`, and its pipelines.",
        example=pipeline_example(about["task"], about),
    )


def gguf(restored: "Restored", folder: Path, dtype: str = "") -> Usage:
    """One file for llama.cpp."""
    from zoo.weights.gguf import write_gguf

    trained = _trained(restored, _weights(restored))
    notes, example = write_gguf(trained, folder / "model.gguf", restored.config.name, dtype)
    return Usage("For llama.cpp, and what is built on it.", "\n".join(notes), example)


def peft(restored: "Restored", folder: Path) -> Usage:
    """Only the adapter."""
    from zoo.weights.adapters import family_of
    from zoo.weights.hf_folder import write_processors
    from zoo.weights.peft import dump, write_peft

    adapter = restored.config.adapter
    if adapter["name"] != "lora":
        raise UserError(f"format=peft is for adapter=lora, got adapter={adapter['name']}")
    chosen = _options(restored)
    family = family_of(restored.config.model["name"], chosen)
    base = str(restored.config.init.from_)
    dump(folder, *write_peft(restored.model, adapter, family, chosen, base))
    if family is None:
        return Usage(
            "For PEFT: `PeftModel.from_pretrained(model, '<this folder>')`, where model is Zoo's "
            "own: `transformers` has none with these options."
        )
    write_processors(_trained(restored, {}), folder)
    quantize = restored.config.init.quantize
    trained_on = f" It was trained on a base in {quantize}; others answer a little otherwise."
    return Usage(
        "For PEFT: `PeftModel.from_pretrained(base, '<this folder>')`, where base is the model of "
        f"`{base}` in `transformers`: of a run of Zoo, what `format=hf` makes."
        + (trained_on if quantize else "")
    )


def _graph(restored: "Restored", folder: Path) -> tuple["Inputs", dict[str, Any]]:
    """What a graph is made of, and what lies beside it: how raw data becomes its input."""
    from zoo.tasks.capabilities import HasWordVectors
    from zoo.weights.hf_folder import files_of, write_json
    from zoo.weights.onnx import Inputs

    if (task := restored.config.task["name"]) in NO_GRAPH:
        why, part = NO_GRAPH[task]
        raise UserError(
            f"this model cannot be exported as a graph: {why}; take format=safetensors, or trace "
            f"{part} of zoo.load(run).model"
        )
    about = _about(restored)
    write_json(folder / "preprocessing.json", about)
    files = files_of(_trained(restored, {}))
    if files is not None:
        write_json(folder / "tokenizer.json", files.content)
    output = "vectors" if isinstance(restored.task, HasWordVectors) else "logits"
    return Inputs(restored.facts, restored.model, restored.encoding, output), about


def onnx(restored: "Restored", folder: Path) -> Usage:
    """A graph for any runtime."""
    from zoo.weights.onnx import write_onnx
    from zoo.weights.usage import graph_example

    inputs, about = _graph(restored, folder)
    worst = write_onnx(inputs, folder / "model.onnx", about)
    return Usage(
        f"For ONNX runtimes: inputs {', '.join(inputs.names)}; batch size and length are dynamic.",
        f"onnxruntime gives the model's {inputs.output} within {worst:.1g}",
        graph_example("onnx", about),
    )


def int8(restored: "Restored", folder: Path) -> Usage:
    """The graph in 8 bits, and how size, speed and metrics change."""
    from zoo.commands.int8 import compare_int8
    from zoo.weights.usage import graph_example

    inputs, about = _graph(restored, folder)
    table = compare_int8(restored, inputs, folder, about)
    example = graph_example("onnx", about)
    return Usage("For ONNX runtimes, weights in 8 bits.", table, example)


def torch_export(restored: "Restored", folder: Path) -> Usage:
    """A graph that needs only torch."""
    import torch

    from zoo.weights.onnx import export_program, quiet
    from zoo.weights.usage import graph_example

    inputs, about = _graph(restored, folder)
    program = export_program(inputs)
    with quiet():
        torch.export.save(program, folder / "model.pt2")
    return Usage(
        "`torch.export.load('model.pt2').module()`, no Zoo; batch size and length are dynamic.",
        example=graph_example("torch_export", about),
    )


FORMATS: dict[str, Write] = {
    write.__name__: write for write in (safetensors, hf, gguf, peft, onnx, int8, torch_export)
}
