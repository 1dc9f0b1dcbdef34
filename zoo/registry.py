"""Names to builders. The constructor's signature is the schema of its YAML file.

@MODELS.register("mlp", task="classification", tiny=dict(width=8))
class MLP(nn.Module): ...

MODELS.build({"name": "mlp", "width": 64}, num_outputs=10, input_shape=(64,))
"""

import copy
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zoo.errors import UserError, place_of, unknown_name
from zoo.schema import bind

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A registered builder and what the registry-driven tests need to try it."""

    name: str
    builder: Callable[..., Any]
    uses: tuple[str, ...] = ()
    tests: dict[str, Any] = field(default_factory=dict)


class Registry:
    """Builders of one kind, found by importing every module of some packages."""

    def __init__(self, kind: str, *packages: str, shared: tuple[str, ...] = ()) -> None:
        """Start empty; the packages are imported at the first look-up.

        Args:
            kind: The group of configs.
            *packages: Packages whose modules register builders.
            shared: Options of the whole group, which the caller handles and no builder gets.
        """
        self.kind, self.packages, self.shared = kind, packages, shared
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def register(self, name: str, uses: tuple[str, ...] = (), **tests: Any) -> Callable[[T], T]:
        """Decorator that gives a builder its name.

        Args:
            name: The name that configs use.
            uses: For a dataset: which of the shared settings `root`, `tokenizer`, `augment` and
                `labels` it uses; the others are refused.
            **tests: For the tests that run over the registry.
                Models: `task` (which task to train it with) and `tiny` (arguments, facts included,
                for a network of a few parameters).
                Tasks: `example` (a function of a model's `tiny` and a tokenizer factory to a
                `TaskExample`, see zoo/tasks/examples.py); `floor` (the mean loss that a model
                reaches on it) and `independent` (False where a sample's output depends on the
                rest of its batch), which a model may override; where no model is registered for
                the task, `model` names one to try it with.
        """

        def decorate(builder: T) -> T:
            known = self._entries.get(name)
            if known is not None and known.builder.__module__ != builder.__module__:
                raise UserError(
                    f"two {self.kind}s are named '{name}': {known.builder.__module__} and "
                    f"{builder.__module__}; rename one"
                )
            self._entries[name] = Entry(name, builder, tuple(uses), tests)
            return builder

        return decorate

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            try:
                for package in self.packages:
                    path = getattr(importlib.import_module(package), "__path__", [])
                    for module in pkgutil.iter_modules(path):
                        importlib.import_module(f"{package}.{module.name}")
            except BaseException:
                self._loaded = False  # a program that goes on would not know the names behind it
                raise

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def __getitem__(self, name: str) -> Entry:
        self._load()
        if name not in self._entries:
            hint = "; if a plugin registers it, add plugins=[<its module>]"
            raise UserError(unknown_name(self.kind, str(name), self._entries) + hint)
        return self._entries[name]

    def under(self, place: str) -> "Registry":
        """The same builders for options at another place in the config, which error messages name:
        `MODELS.under("model.image")` for a model that is a part of another."""
        nested = copy.copy(self)
        nested.kind = place
        return nested

    def arguments(self, config: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
        """The arguments that `build` passes to the builder; raises as `build` does."""
        options = {key: value for key, value in config.items() if key not in self.shared}
        if (name := options.pop("name", None)) is None:
            raise UserError(f"{self.kind}.name is missing (one of: {', '.join(self.names())})")
        if "_target_" in options:
            raise UserError(
                f"{self.kind}._target_ is refused: a config names things, it runs no code; "
                f"set {self.kind}.name to one of: {', '.join(self.names())}"
            )
        return bind(self[name].builder, options, facts, self.kind, name)

    def build(self, config: Mapping[str, Any], **facts: Any) -> Any:
        """Build what `config["name"]` names, from the other keys and the facts it asks for.

        Raises:
            UserError: A mistake in the config, or values that the builder refuses.
        """
        arguments = self.arguments(config, **facts)
        try:
            return self[config["name"]].builder(**arguments)
        except (ValueError, IndexError, RuntimeError, ArithmeticError, MemoryError) as error:
            options = ", ".join(f"{k}={v}" for k, v in config.items() if k != "name")
            raise UserError(
                f"{self.kind}={config['name']} cannot be built with {options}: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]} "
                f"({place_of(error)})"
            ) from error


MODELS = Registry("model", "zoo.models")
ADAPTERS = Registry("adapter", "zoo.adapters")
DATASETS = Registry("data", "zoo.data.datasets")
TASKS = Registry("task", "zoo.tasks", shared=("monitor",))
OPTIMIZERS = Registry("optim", "zoo.optim", shared=("rates",))
SCHEDULES = Registry("schedule", "zoo.optim")
