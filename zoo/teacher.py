"""Another trained network, which a task or a model needs during training.

A builder with a parameter `teacher` gets it, from the run that `teacher.from` names
(zoo/restore.py loads it): frozen, in evaluation mode, on the device. It is in no checkpoint; a run
records its identity instead, and demands the same one when it is resumed or evaluated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from zoo.config.run import SPLIT_KEYS, Options, RunConfig
from zoo.errors import UserError
from zoo.registry import MODELS, TASKS, Registry
from zoo.restandardise import pixel_rescaling
from zoo.schema import parameters

FACT = "teacher"


@dataclass(frozen=True)
class Teacher:
    """Another trained network, and its identity.

    Attributes:
        model: Frozen, in evaluation mode.
        run: The folder of the run that trained it.
        checkpoint: The name of the checkpoint's folder.
        step: Optimizer steps behind these weights.
        sha256: Of names and values of its weights.
        data_facts: Facts of the data that it was trained on.
        data: Settings of that data.
        tokenizer: Of that data; None where it is no text.
    """

    model: nn.Module
    run: str
    checkpoint: str
    step: int
    sha256: str
    data_facts: dict[str, Any] = field(default_factory=dict)
    data: Options = field(default_factory=dict)
    tokenizer: Any = None

    @property
    def facts(self) -> dict[str, Any]:
        """Facts that builders may ask for."""
        return {FACT: self.model, "teacher_facts": self.data_facts}

    def check_tokens(self, facts: dict[str, Any]) -> None:
        """Check that it reads the tokens of other data, and as many of them.

        Args:
            facts: Of that data.

        Raises:
            UserError: Its vocabulary is another one, or its context is shorter.
        """
        here, there = facts.get("tokenizer"), self.tokenizer
        if here is None or there is None:
            return
        if there.vocabulary() != here.vocabulary():
            theirs, ours = (f"{t.kind} of {t.vocab_size:,} tokens" for t in (there, here))
            if theirs == ours:
                ours += ", other ones"
            raise UserError(
                f"teacher.from={self.run}: the two networks have different vocabularies "
                f"(teacher.from: {theirs}; the data: {ours}); train both on the same split "
                f"(data.split_seed), or take the teacher's: init.from=<its run> 'init.skip=[*]', "
                f"with model sizes of your own"
            )
        length, context = facts.get("block_size"), getattr(self.model, "context", None)
        if length is not None and context is not None and length > context:
            raise UserError(
                f"data.block_size={length}: the network of teacher.from reads {context} tokens at "
                f"most; lower it"
            )

    def codes(self, facts: dict[str, Any]) -> Callable[[Tensor], Tensor]:
        """From standardised images (B, C, H, W) to codes (B, D), which tell neighbours.

        Args:
            facts: Of the data that the images are of.

        Raises:
            UserError: It makes no codes, or those of other images.
        """
        network: Any = self.model
        if not hasattr(network, "encode") or getattr(network, "classes", False):
            raise UserError(
                f"data.spread_labels=true: the network of teacher.from ({type(network).__name__}) "
                f"gives no codes of images without a class; train one with model=vae task=elbo"
            )
        here, there = (tuple(f.get("input_shape", ())) for f in (facts, self.data_facts))
        if here != there:
            raise UserError(
                f"data.spread_labels=true: the network of teacher.from takes images of shape "
                f"{there}, got {here}; train one on this data"
            )
        mean, std = facts.get("pixel_mean"), facts.get("pixel_std")
        scale, shift = pixel_rescaling(mean, std, self.data_facts)
        device = next(network.parameters()).device

        @torch.no_grad()
        def encode(images: Tensor) -> Tensor:
            return network.encode((images * scale + shift).to(device))[0]

        return encode

    def split_note(self, data: Options) -> str | None:
        """What is said where its training rows may be among those that are kept from this run."""
        keys = [
            key for key in SPLIT_KEYS if key in data and data[key] != self.data.get(key, data[key])
        ]
        if self.data.get("name") != data["name"] or not keys:
            return None
        key = keys[0]
        return (
            f"teacher.from={self.run} was trained with data.{key}={self.data[key]}, here it is "
            f"{data[key]}: it may have seen rows of this validation or test split"
        )

    @property
    def identity(self) -> dict[str, Any]:
        """For dataset.json and result.json."""
        return {name: getattr(self, name) for name in ("run", "checkpoint", "step", "sha256")}


def takes_teacher(registry: Registry, options: Options) -> bool:
    """Whether the signature of a model or task names a teacher."""
    return FACT in parameters(registry[options["name"]].builder)


def check_teacher(config: RunConfig) -> None:
    """Check that the task, the model and the data need or take the teacher that `teacher.from`
    names.

    Raises:
        UserError: One of them needs a teacher and there is none; none of them takes the one given;
            what training starts from is not the model without its adapter.
    """
    path, is_used = config.teacher.from_, _check_spreading(config)
    for registry, options in ((MODELS, config.model), (TASKS, config.task)):
        if not takes_teacher(registry, options):
            continue
        is_used = True
        parameter = parameters(registry[options["name"]].builder)[FACT]
        if path is None and parameter.default is parameter.empty:
            raise UserError(
                f"{registry.kind}={options['name']} needs another trained network: set "
                f"teacher.from=<a run directory>"
            )
    if path is not None and not is_used:
        raise UserError(
            f"teacher.from={path}: neither model={config.model['name']} nor "
            f"task={config.task['name']} takes a teacher; leave it out"
        )
    _check_start(config)


def _check_spreading(config: RunConfig) -> bool:
    """Whether the data takes a teacher, among whose codes labels spread.

    Raises:
        UserError: It does, and there is none, or no label is hidden.
    """
    spreads = bool(config.data.get("spread_labels"))
    if spreads and config.data.get("train_size") is None:
        raise UserError(
            "data.spread_labels=true needs to know whose labels spread: set data.train_size=, e.g. "
            "5/class"
        )
    if spreads and config.teacher.from_ is None:
        raise UserError(
            "data.spread_labels=true spreads labels among the codes of another trained network: "
            "set teacher.from=<a run of model=vae>"
        )
    return spreads


def _check_start(config: RunConfig) -> None:
    """Check that the model without its adapter is what training starts from, where a task compares
    the two (`compares_with_start`) and no other network is given.

    Raises:
        UserError: It is not: some of what is trained has values at the start that switching the
            adapter off takes away, or lies outside the adapter.
    """
    init, task = config.init, config.task["name"]
    compares = getattr(TASKS[task].builder, "compares_with_start", False)
    if not compares or config.teacher.from_ is not None or config.adapter["name"] != "lora":
        return
    said = f"task={task} compares the model with the one that training starts from"
    if init.adapter:
        raise UserError(
            f"{said}, which is not the one without its adapter: init.adapter={init.adapter} is a "
            f"part of it; add teacher.from=<the run of that adapter>, or merge it first "
            f"(scripts/export.py format=safetensors) and take init.from=<the export>"
        )
    for name, parts in (("skip", init.skip), ("resize", init.resize)):
        if parts:
            raise UserError(
                f"{said}, and trains init.{name}=[{','.join(parts)}] besides the adapter; tune "
                f"these by task=causal_lm first, and take init.from=<what scripts/export.py makes "
                f"of that run>"
            )


def check_identity(recorded: dict[str, Any] | None, teacher: Teacher) -> None:
    """Check that a teacher is the one that a run was trained with.

    Raises:
        UserError: Its weights are others.
    """
    then = (recorded or {}).get("sha256")
    if then != teacher.sha256:
        raise UserError(
            f"teacher.from={teacher.run}: {teacher.checkpoint} holds other weights (SHA-256 "
            f"{teacher.sha256[:12]}) than the run was trained with ({str(then)[:12]}); put the "
            f"first ones back"
        )


def keep_apart(model: nn.Module, teacher: Teacher) -> None:
    """Let a model that holds the teacher, or parts of it, hold them as plain attributes.

    A submodule would be trained, counted, saved and switched to training with the rest.

    Raises:
        UserError: It is in a container, which knows no attributes.
    """
    of_teacher = set(teacher.model.modules())
    for module in [m for m in model.modules() if m not in of_teacher]:
        for name, child in list(module._modules.items()):
            if child in of_teacher:
                if isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
                    raise UserError(
                        f"{type(model).__name__} holds its teacher in a {type(module).__name__}; "
                        f"expected an attribute of a module with a forward of its own"
                    )
                del module._modules[name]
                vars(module)[name] = child
