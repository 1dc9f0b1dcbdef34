"""A chat template: a Jinja program that writes messages as the text which a model was trained on.

Templates come with published weights, as code of strangers: they run in Jinja's sandbox, with what
`transformers` gives them besides (`raise_exception`, `strftime_now`, `tojson`, `break`, `continue`,
`generation`) and without what would make two renderings differ (`random`, the clock: the date is
the one that the run began with). Loops and calls are counted, so that none runs for ever.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from zoo.errors import UserError

STEPS, OF_MESSAGE, CALL = 10**5, 1000, 10  # iterations of one rendering; what a call counts for
LENGTH = 10**7  # of what one multiplication makes, in characters or elements


class ChatTemplate:
    """A compiled template.

    Args:
        source: Its text.
        variables: Names that it may use, `bos_token`, `eos_token`, ..., and their text.
        date: What `strftime_now` tells, in ISO 8601; None where the template does not ask.

    Raises:
        UserError: No Jinja.
    """

    def __init__(self, source: str, variables: Mapping[str, str], date: str | None = None) -> None:
        self.variables = dict(variables)
        self._environment = _Sandbox(date)
        try:
            self._template: Template = self._environment.from_string(source)
        except (TemplateError, RecursionError) as error:
            raise UserError(f"the chat template cannot be read: {_line(error)}") from None

    def render(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
        """Messages as text.

        Args:
            messages: Each with `role` and `content`.
            add_generation_prompt: Whether the text ends where an answer begins.

        Raises:
            UserError: The template refuses the messages, fails, or does not end.
        """
        self._environment.left = STEPS + OF_MESSAGE * len(messages)
        self._environment.most = self._environment.left
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self.variables,
            )
        except Exception as error:  # a program of its own: it may raise anything
            raise UserError(f"the chat template refuses the messages: {_line(error)}") from None


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without access to Python, without chance, and with an end."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self, date: str | None) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        self.left = self.most = STEPS
        self._date = date
        self.filters |= {"tojson": _to_json, "counted": self._counted}
        self.globals |= {
            "raise_exception": _raise,
            "strftime_now": self._strftime,
            "dict": _make_dict,
            "namespace": _Names,
        }
        del self.filters["random"], self.globals["lipsum"]

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:
        """Jinja's hook between a template's tree and its code: each loop is counted."""
        for loop in list(source.find_all(nodes.For)):
            counted = nodes.Filter(loop.iter, "counted", [], [], None, None)
            loop.iter = counted.set_lineno(loop.lineno).set_environment(self)
        return super()._generate(source, *arguments, **options)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._count(1)
            yield item

    def call(self, context: Any, function: Any, /, *arguments: Any, **options: Any) -> Any:
        """Jinja's hook of every call, macros and recursive loops included."""
        self._count(CALL)
        return super().call(context, function, *arguments, **options)

    def _count(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise SecurityError(f"it does not end within {self.most:,} iterations and calls")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Jinja's hook of the operators named above."""
        if operator == "*":
            size = len(left) if hasattr(left, "__len__") else 1
            size *= len(right) if hasattr(right, "__len__") else 1
            times = right if isinstance(right, int) else left if isinstance(left, int) else 1
            is_long = size * abs(times) > LENGTH
        else:
            is_long = abs(right) > 64
        if is_long:
            raise SecurityError(f"'{operator}' would make more than {LENGTH:,} characters")
        return super().call_binop(context, operator, left, right)

    def _strftime(self, form: str) -> str:
        return datetime.fromisoformat(self._date or "2000-01-01").strftime(form)


class _Generation(Extension):
    """`{% generation %} ... {% endgeneration %}`, around what an assistant writes: as it is."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Names(Namespace):
    """`namespace(...)`, without names that lead into Python."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # noqa: N805  # `self=` may be a name too
        self, *rest = args
        names = dict(*rest, **kwargs)
        for name in names:
            _check_name(name)
        Namespace.__init__(self, names)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace takes no name that begins with '_', got '{name}'")


def _make_dict(*arguments: Any, **entries: Any) -> dict[Any, Any]:
    return dict(*arguments, **entries)


def _raise(message: str) -> None:
    raise TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own would escape HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _line(error: BaseException) -> str:
    """An error in one line, not too long."""
    if isinstance(error, RecursionError):
        return "it calls itself for ever"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
