"""Errors that a user can mend, and the nearest valid name to suggest."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave: one line says what was got, what was expected, the fix.

    The command line prints the message without a traceback and exits with code 2.
    """


class MissingFact(UserError):
    """A component asks for a fact that the data does not state."""

    def __init__(self, kind: str, name: str, fact: str) -> None:
        super().__init__(f"{kind}={name} needs '{fact}', which the chosen data does not state")
        self.kind, self.name, self.fact = kind, name, fact


class TrainingFailed(Exception):
    """Training cannot go on (a loss that is not finite, say); exit code 1."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name closest to `name`, or None when nothing is close.

    A dotted name is compared by its last part too: `trainer.max_step` finds `trainer.max_steps`,
    and `lr` finds `optim.lr`.
    """
    names = list(valid)
    by_leaf = {n.rsplit(".", 1)[-1]: n for n in reversed(names)}
    if (exact := by_leaf.get(name.rsplit(".", 1)[-1])) is not None:
        return exact
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return close[0]
    close = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(by_leaf), n=1, cutoff=0.6)
    return by_leaf[close[0]] if close else None


def unknown(what: str, name: str, valid: Iterable[str]) -> str:
    """`unknown model 'mlpp'; did you mean 'mlp'? (one of: cnn, mlp)` for any kind of name."""
    names = sorted(valid)
    guess = nearest(name, names)
    hint = f"did you mean '{guess}'? " if guess else ""
    return f"unknown {what} '{name}'; {hint}(one of: {', '.join(names) or 'none'})"
