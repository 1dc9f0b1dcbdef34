"""`python scripts/benchmark.py <name> ...`: measurements by name, one after another."""

import importlib
import inspect
import sys
from typing import Any

from zoo.commands.arguments import options
from zoo.errors import UserError, unknown_name

USAGE = """\
python scripts/benchmark.py <name> ... [rounds=7] [epochs=100] [threads=2] [repeats=2000]

Speed compared with named alternatives in interleaved runs: ratios, since machines are noisy.

trainer     steps per second: a bare loop, Zoo, Lightning
startup     seconds: import torch, --help, the first training step
generation  tokens per second of generated text: Hugging Face's GPT-2 and Llama, Zoo's
gpt         tokens per second of training GPT-2 in fp32 and bf16: Hugging Face, Zoo
bert        the same for BERT
lora        the same for LoRA on GPT-2, and peak memory: PEFT, Zoo
lora_llama  the same for LoRA on a Llama of 135M parameters
tuning      loss by step and memory of fine-tuning: all weights, LoRA, DoRA, LoRA on 8 and 4 bits;
            takes base=<a run, or published weights> and group.key=value
resnet      images per second of training ResNet-18: Hugging Face, Zoo
diffusion   images per second of training a U-Net and of drawing with it: diffusers, Zoo
sweep       seconds for 12 small runs: Hydra's launchers, Zoo's
search      training steps to the best of a grid: TPE with pruning
word2vec    words per second and held-out loss: gensim, Zoo
word2vec_rates  validation loss by learning rate: gensim, Zoo; takes group.key=value
kernels     processor time of each implementation of zoo/kernels: by its reference's, and what it
            gains in training steps of recipes, or of experiment=...; takes group.key=value
precision   what trainer.precision=auto chooses for each experiment, or for experiment=..., and the
            processor time of bf16 by fp32's; takes group.key=value
forms       six forms of language models of equal training FLOPs: parameters, bytes of cache, tokens
            per second of processor time by length of the text; renews docs/language.md
forms_runs  trains them on two texts, three seeds each, and renews the tables; takes group.key=value
judge       how often compare is wrong of equal arms and finds real differences, on arms drawn from
            real runs (benchmarks/results/judge.json)
judge_runs  trains those runs again; takes group.key=value

Lightning, Hugging Face's models and gensim are measured where they are installed (`pip install
lightning transformers peft diffusers gensim hydra-joblib-launcher`); Zoo does not depend on them.
"""
BENCHMARKS = {  # name -> the module of this package with the function of that name
    "trainer": "trainer",
    "startup": "startup",
    "generation": "language",
    "gpt": "language",
    "bert": "language",
    "lora": "adapters",
    "lora_llama": "adapters",
    "tuning": "tuning",
    "resnet": "resnet",
    "diffusion": "diffusion",
    "sweep": "sweep",
    "search": "sweep",
    "word2vec": "word2vec",
    "word2vec_rates": "word2vec",
    "kernels": "kernels",
    "precision": "precision",
    "forms": "forms_cost",
    "forms_runs": "forms",
    "judge": "judge",
    "judge_runs": "judge",
}
TAKE_SETTINGS = (
    "word2vec_rates", "kernels", "precision", "judge_runs", "forms_runs", "tuning",
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the benchmarks named.

    Raises:
        UserError: An unknown name or option, or a value that is not a whole number.
    """
    arguments = sys.argv[1:] if argv is None else argv
    names = [
        argument for argument in arguments if "=" not in argument and not argument.startswith("-")
    ]
    rest = [argument for argument in arguments if argument not in names]
    numbers = {"rounds": "7", "epochs": "100", "threads": "2", "repeats": "2000"}
    values, overrides = options(rest, USAGE, base="", **numbers)
    available: dict[str, Any] = {key: whole_number(key, values[key]) for key in numbers}
    available |= {"overrides": overrides, "base": values["base"]}
    for name in names or [""]:
        if name not in BENCHMARKS:
            raise UserError(unknown_name("benchmark", name, BENCHMARKS))
        if overrides and name not in TAKE_SETTINGS:
            raise UserError(f"{overrides[0]}: benchmark {name} takes no settings of a config")
    for name in names:
        if len(names) > 1:
            print(f"{name}:", flush=True)
        run(name, available)
    return 0


def run(name: str, available: dict[str, Any]) -> None:
    """Call a benchmark with those of the available options that its signature names."""
    function = getattr(importlib.import_module(f"benchmarks.{BENCHMARKS[name]}"), name)
    function(**{key: available[key] for key in inspect.signature(function).parameters})


def whole_number(key: str, text: str) -> int:
    """The number of `key=text`, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{key}={text}: expected a whole number, 1 or more")
    return int(text)
