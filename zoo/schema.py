"""A signature is a schema: check options from a config against a function's parameters."""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

from zoo.bounds import Bound
from zoo.errors import MissingFact, UserError, closest_match


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The named parameters of a function or of a class's constructor, annotations resolved.

    Raises:
        UserError: An annotation has no meaning when the program runs.
    """
    target = function.__init__ if inspect.isclass(function) else function
    try:
        hints = typing.get_type_hints(target, include_extras=True)
    except NameError as error:  # of a plugin; what is imported for type checkers alone has no value
        raise UserError(
            f"{function.__module__}.{function.__qualname__}: an option's type is not known "
            f"({error}); import it outside of `if TYPE_CHECKING`"
        ) from None
    signature = inspect.signature(function).parameters
    return {
        name: p.replace(annotation=hints.get(name, Any))
        for name, p in signature.items()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


def matches_type(value: Any, annotation: Any) -> bool:
    """Whether a config value (number, string, bool, None, list, dict) has the annotated type."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Annotated:
        return matches_type(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(matches_type(value, choice) for choice in arguments)
    if origin is Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list | tuple) and all(matches_type(v, arguments[0]) for v in value)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        kinds = _items(arguments, len(value))
        return len(kinds) == len(value) and all(map(matches_type, value, kinds))
    if origin is dict:
        return isinstance(value, Mapping) and all(
            matches_type(v, arguments[1]) for v in value.values()
        )
    if annotation is None or annotation is type(None):
        return value is None
    if annotation is bool or annotation is str:
        return isinstance(value, annotation)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True  # anything else (a tensor, a tokenizer) is not a config value


def out_of_bounds(value: Any, annotation: Any) -> str | None:
    """What a value of the annotated type should be instead, as `0 to below 1`; None if it may be.

    Numbers are finite, and within the bounds that the annotation states.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bounds = [bound for bound in arguments[1:] if isinstance(bound, Bound)]
        return next((str(bound) for bound in bounds if not bound.admits(value)), None)
    if origin in (Union, types.UnionType):
        kinds = (kind for kind in arguments if matches_type(value, kind))
        return out_of_bounds(value, next(kinds, None))
    if origin in (list, tuple):
        found = map(out_of_bounds, value, _items(arguments, len(value)))
        return next((f"each {bound}" for bound in found if bound), None)
    is_infinite = annotation is float and not math.isfinite(value)
    return "a finite number" if is_infinite else None


def _items(arguments: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """The type of each item: `tuple[str, int]` names two, other lists one for all `number`."""
    is_alike = len(arguments) == 1 or arguments[-1] is Ellipsis
    return arguments[:1] * number if is_alike else arguments


def describe_type(annotation: Any) -> str:
    """Describe an annotation: `int or null`, `one of relu, gelu`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return describe_type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(choice) for choice in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if annotation is type(None):
        return "null"
    if origin in (list, tuple):
        kinds = [describe_type(kind) for kind in arguments if kind is not Ellipsis]
        return f"a list of {', '.join(kinds)}"
    if origin is dict:
        return "names and values, '{name: value}'"
    return getattr(annotation, "__name__", str(annotation))


def describe_value(value: Any) -> str:
    """A value and its type, for an error message."""
    return "null" if value is None else f"{value!r} ({type(value).__name__})"


def type_mismatch(name: str, value: Any, annotation: Any) -> str:
    """`optim.lr: got 'fast' (str), expected float`."""
    return f"{name}: got {describe_value(value)}, expected {describe_type(annotation)}"


def bind(
    function: Callable[..., Any],
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
    kind: str,
    name: str,
) -> dict[str, Any]:
    """The arguments for `function`: what the config gives, then the facts its signature names.

    Args:
        function: A class or function whose annotated parameters are the schema.
        config: Options; they win over facts.
        facts: Facts of the data; those that the signature does not name are left out.
        kind, name: For messages: `model`, `mlp`.

    Raises:
        UserError: All unknown options and wrong types, in one line.
        MissingFact: A parameter without default that neither the config nor the facts give.
    """
    schema = parameters(function)
    problems = []
    for option, value in config.items():
        if option not in schema:
            options = [o for o in schema if o not in facts]
            guess = closest_match(option, options)
            hint = f"did you mean '{guess}'? " if guess else ""
            problems.append(
                f"{kind}.{option}: {kind}={name} has no such option; {hint}"
                f"(it takes: {', '.join(options) or 'none'})"
            )
        elif not matches_type(value, schema[option].annotation):
            problems.append(type_mismatch(f"{kind}.{option}", value, schema[option].annotation))
        elif (expected := out_of_bounds(value, schema[option].annotation)) is not None:
            problems.append(f"{kind}.{option}: got {value}, expected {expected}")
    if problems:
        raise UserError("; ".join(problems))
    arguments = {fact: value for fact, value in facts.items() if fact in schema} | dict(config)
    for option, parameter in schema.items():
        if parameter.default is parameter.empty and option not in arguments:
            raise MissingFact(kind, name, option)
    return arguments
