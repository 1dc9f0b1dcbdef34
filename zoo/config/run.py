"""The typed config of a run: the content of `config.yaml`, used by every command.

`model`, `data`, `task`, `adapter`, `optim` and `schedule` stay open mappings: the signature of what
they name is their schema. All else has fields of its own. No torch, so that mistakes are
reported at once.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from zoo.errors import UserError, unknown_name
from zoo.schema import describe_value, matches_type, type_mismatch
from zoo.training.config import TrainerConfig

Options = dict[str, Any]  # of one group: a name, and what the named builder takes
GROUPS = ("model", "data", "task", "adapter", "optim", "schedule", "trainer")
OPEN_GROUPS = GROUPS[:-1]
SPLIT_KEYS = ("split_seed", "val_fraction", "test_fraction", "folds", "fold")  # of `data`
Section = TypeVar("Section")


@dataclass(frozen=True)
class InitConfig:
    """The settings `init.*`: weights to start from.

    Attributes:
        from_: A run directory, a folder or file of published weights, a name on the Hub; or null.
        adapter: An adapter to start from: a run directory, or a folder of PEFT's; or null.
        skip: Parts of the model that keep their random initialisation.
        resize: Parts whose shapes differ: rows and columns that both have are loaded.
        dtype: `bf16` holds frozen weights in 16 bits, as most files do; null: all in 32.
        quantize: `int8` or `nf4` holds frozen linear layers in 8 or 4 bits; null: none.
        layers: Numbers of the layers that the model's are copied from, in order; none for all.
    """

    from_: str | None = None
    adapter: str | None = None
    skip: list[str] = field(default_factory=list)
    resize: list[str] = field(default_factory=list)
    dtype: Literal["bf16"] | None = None
    quantize: Literal["int8", "nf4"] | None = None
    layers: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class TeacherConfig:
    """The settings `teacher.*`: another trained network, which the task or the model needs.

    Attributes:
        from_: A run directory, or a folder of runs, of which the newest finished one is taken.
        checkpoint: best, last, a step, or the name of a checkpoint.
    """

    from_: str | None = None
    checkpoint: str | int = "best"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run.

    Attributes:
        experiment: The recipe that was chosen, or None.
        name: Of the parent of the run's folder.
        seed: Of initialisation, batch order, dropout and augmentation.
        output_dir: Runs go to `<output_dir>/<name>/<date_time>`.
        resume: The run directory to resume, or None.
        plugins: Modules of the user's to import first.
        init: Weights to start from.
        teacher: A trained network that the task or the model needs.
        expect: Expected results by metric: `{"test/accuracy": ">= 0.98"}`.
        model, data, task, adapter, optim, schedule: A name, and options of what it names.
        trainer: The budget, and how to spend it.
    """

    experiment: str | None
    name: str
    seed: int
    output_dir: str
    resume: str | None
    plugins: list[str]
    init: InitConfig
    teacher: TeacherConfig = TeacherConfig()
    expect: dict[str, Any]
    model: Options
    data: Options
    task: Options
    adapter: Options
    optim: Options
    schedule: Options
    trainer: TrainerConfig

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise UserError(f"seed: got {self.seed}, expected 0 or more, below 2**63")
        named = {"output_dir": self.output_dir, "init.from": self.init.from_}
        named |= {"init.adapter": self.init.adapter, "teacher.from": self.teacher.from_}
        for key, value in named.items():
            if value == "":  # of a variable of the shell without a value
                raise UserError(f"{key}= names nothing; give a folder or a name, or leave it out")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], origin: str = "the config") -> "RunConfig":
        """The inverse of `to_dict`.

        Args:
            values: A composed config, or the content of a config.yaml.
            origin: Where they came from, for messages.

        Raises:
            UserError: Missing or unknown keys, values of a wrong type.
        """
        types = _types(cls)
        if missing := [key for key in types if key not in values and key != "teacher"]:
            raise UserError(f"{origin} is not a run's: it lacks {', '.join(missing)}")
        for key, value in values.items():
            if key not in types:
                raise UserError(unknown_name("setting", key, types))
            if dataclasses.is_dataclass(types[key]) or key in (*OPEN_GROUPS, "expect"):
                if not isinstance(value, dict):
                    raise UserError(
                        f"{key}: got {describe_value(value)}, expected name: value in {origin}"
                    )
                if key in OPEN_GROUPS and not isinstance(value.get("name"), str):
                    raise UserError(f"{key}.name: expected a text in {origin}")
            elif not matches_type(value, types[key]):
                raise UserError(type_mismatch(key, value, types[key]))
        sections = {
            "init": _section(InitConfig, "init", values["init"]),
            "teacher": _section(TeacherConfig, "teacher", values.get("teacher", {})),
            "trainer": _section(TrainerConfig, "trainer", values["trainer"]),
        }
        task = {k: v for k, v in values["task"].items() if (k, v) != ("monitor", None)}
        return cls(**{**values, **sections, "task": task})

    def to_dict(self, without_defaults: bool = True) -> dict[str, Any]:
        """Plain values, in the order of the fields.

        Args:
            without_defaults: Leave `teacher`, `init.layers`, `init.quantize` and `task.monitor` out
                where there is none, as config.yaml does.
        """
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        for name, value in values.items():
            if dataclasses.is_dataclass(value):
                content = dataclasses.asdict(value)  # type: ignore[arg-type]
                values[name] = {key.removesuffix("_"): item for key, item in content.items()}
        if without_defaults and self.teacher.from_ is None:
            del values["teacher"]
        if without_defaults and not self.init.layers:
            del values["init"]["layers"]
        if without_defaults and not self.init.quantize:
            del values["init"]["quantize"]
        if not without_defaults:
            values["task"] = {"monitor": None} | self.task
        return values


def _types(section: type) -> dict[str, Any]:
    """The keys of a section and their types; `from_` stands for the keyword `from`."""
    return {name.removesuffix("_"): hint for name, hint in typing.get_type_hints(section).items()}


def _section(section: type[Section], name: str, values: Mapping[str, Any]) -> Section:
    """A group with fields of its own.

    Raises:
        UserError: An unknown key, a value of a wrong type.
    """
    types = _types(section)
    for key, value in values.items():
        if key not in types:
            raise UserError(
                unknown_name("setting", f"{name}.{key}", [f"{name}.{k}" for k in types])
            )
        if not matches_type(value, types[key]):
            raise UserError(type_mismatch(f"{name}.{key}", value, types[key]))
    fields = {key.removesuffix("_"): key for key in typing.get_type_hints(section)}
    return section(**{fields[key]: value for key, value in values.items()})


def types_of_settings() -> dict[str, Any]:
    """The types of all settings with fields of their own, by dotted name."""
    sections = {"init": InitConfig, "teacher": TeacherConfig, "trainer": TrainerConfig}
    nested = {f"{name}.{k}": t for name, cls in sections.items() for k, t in _types(cls).items()}
    top = {k: t for k, t in _types(RunConfig).items() if k not in (*sections, *GROUPS, "expect")}
    return top | {"name": str | None, "task.monitor": str | None} | nested
