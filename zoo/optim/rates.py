"""Learning rates for parts of a model: `optim.rates={discriminator: 2.0, embedding: 0.1}`.

A factor on the peak rate for parameters whose names match a pattern, for every optimizer, those of
plugins included: the groups of the built optimizer are split, and no builder need know of it.
"""

import fnmatch
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import nn

from zoo.errors import UserError, closest_match
from zoo.optim.groups import Groups
from zoo.optim.state import parts
from zoo.phrases import first_few
from zoo.registry import OPTIMIZERS
from zoo.schema import describe_value

LISTED = 12  # names that an error lists


def build_optimizer(config: Mapping[str, Any], model: nn.Module) -> Any:
    """The optimizer that `config["name"]` says, with the rates of `config["rates"]`, if any.

    Raises:
        UserError: A mistake in the config; see `scale_rates`.
    """
    optimizer = OPTIMIZERS.build(config, model=model)
    scale_rates(optimizer, model, check_rates(config))
    return optimizer


def check_rates(config: Mapping[str, Any]) -> dict[str, float]:
    """The factors by pattern, as the settings of an optimizer give them.

    Raises:
        UserError: Not numbers above 0, by name.
    """
    rates = config.get("rates") or {}
    if not isinstance(rates, Mapping):
        raise UserError(f"optim.rates: got {describe_value(rates)}, expected {{name: factor}}")
    factors: dict[str, float] = {}
    for pattern, factor in _leaves(rates):
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not (number and 0 < factor < math.inf):
            raise UserError(
                f"optim.rates.{pattern}: got {describe_value(factor)}, expected a number above 0"
            )
        factors[pattern] = float(factor)
    return factors


def _leaves(rates: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Patterns and factors; `optim.rates.hidden.0=2` on a command line makes mappings in one."""
    for key, value in rates.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def scale_rates(optimizer: Any, model: nn.Module, rates: Mapping[str, float]) -> None:
    """Multiply the rates of parameters whose names match; groups are split where they must be.

    Args:
        optimizer: As built, before its first step.
        model: Whose parameters it trains.
        rates: Factors by pattern. A pattern is a part of a dotted name (`embedding` matches
            `encoder.embedding.weight`), several of them (`attention.qkv`), or has wildcards
            (`blocks.[01]`). Parameters that match none keep their rate.

    Raises:
        UserError: A pattern matches no parameter that is trained, or two match the same one.
    """
    if not rates:
        return
    factors = _factors(model, rates)
    for inner in parts(optimizer):
        groups = inner.param_groups
        groups[:] = [new for group in groups for new in _split(group, factors)]


def _factors(model: nn.Module, rates: Mapping[str, float]) -> dict[int, float]:
    """Factors by the `id` of a parameter; those of tied weights match by any of their names."""
    named = [(n, p) for n, p in model.named_parameters(remove_duplicate=False) if p.requires_grad]
    pattern_of: dict[int, str] = {}
    for pattern in rates:
        matched = {id(p): n for n, p in named if fnmatch.fnmatchcase(f".{n}.", f"*.{pattern}.*")}
        if not matched:
            raise UserError(
                f"optim.rates: '{pattern}' matches no trained parameter; "
                f"{_list_names(pattern, [name for name, _ in named])}"
            )
        for key, name in matched.items():
            if (other := pattern_of.setdefault(key, pattern)) != pattern:
                raise UserError(
                    f"optim.rates: '{other}' and '{pattern}' both match {name}; expected at most "
                    f"one factor for a parameter"
                )
    return {key: rates[pattern] for key, pattern in pattern_of.items()}


def _list_names(pattern: str, names: Iterable[str]) -> str:
    """The names that patterns may match: the closest, and modules from the top without numbers."""
    kinds = [[part for part in name.split(".") if not part.isdecimal()] for name in names]
    depth = max(map(len, kinds))
    heads = [".".join(kind[:k]) for k in range(1, depth) for kind in kinds if len(kind) > k]
    prefixes = list(dict.fromkeys(heads or [".".join(kind) for kind in kinds]))
    words = dict.fromkeys([*prefixes, *(part for kind in kinds for part in kind)])
    guess = closest_match(pattern, words)
    hint = f"did you mean '{guess}'? " if guess else ""
    return f"{hint}(it could match: {first_few(prefixes, LISTED)})"


def _split(group: dict[str, Any], factors: Mapping[int, float]) -> Groups:
    """The group, or one for each factor in it, in order, with what has none first."""
    by_factor: dict[float, list[nn.Parameter]] = {1.0: []}
    for parameter in group["params"]:
        by_factor.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
    return [
        {**group, "params": members, "lr": group["lr"] * factor, "unscaled_lr": group["lr"]}
        for factor, members in by_factor.items()
        if members
    ]
