"""Why the best line of a table won: which settings mattered, by how much, how surely.

The effect of a setting is measured between runs that agree in all other settings and in the seed:
the winner's value against the mean of the others that were tried. Each such comparison is a
measurement, and their mean has a t interval. Where no two runs agree in all else (a random search),
the half of the runs nearest to the winner's value is compared with the rest, without the winner.
Intervals and claims allow for all effects, and for the winner's value being chosen after the fact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.compare.difference import ALPHA, LEVEL, Difference, Scale, difference, paired
from zoo.compare.judge import Verdict, arm, judge
from zoo.compare.scale import scale as axis
from zoo.compare.wording import amount, between
from zoo.runs.rank import Group, Table
from zoo.runs.settings import ABSENT, format_value, identity, short_names

MAX_NAMED = 4  # values, or settings, that a sentence lists
MIN_UNMATCHED = 8  # lines of a search


@dataclass(frozen=True)
class Effect:
    """What the winner's value of a setting gives, compared with the others that were tried.

    Attributes:
        what: `width=32 rather than 16`.
        names: The settings: several where they were only changed together.
        difference: How much better the winner's value is.
        how: What was compared: `6 comparisons of runs alike in all else`.
        choices: From how many equally good claims this one was chosen.
    """

    what: str
    names: tuple[str, ...]
    difference: Difference
    how: str
    choices: float = 1.0


@dataclass(frozen=True)
class Effects:
    """All effects of a table, the surest first; `tests` is what claims are corrected for."""

    all: list[Effect]

    @property
    def tests(self) -> float:
        """The number of claims that could have been made."""
        return sum(effect.choices for effect in self.all)

    def shown(self, effect: Effect) -> bool:
        """Whether it is shown to matter, by Bonferroni's correction."""
        return effect.difference.p * self.tests <= ALPHA

    def size(self, effect: Effect, table: Table) -> str:
        """`+0.0123 (97% interval +0.0080 to +0.0166)`."""
        interval = effect.difference.interval(1 - ALPHA / self.tests)
        scales = effect.difference.log, table.larger
        return f"{amount(effect.difference.size, *scales)} ({LEVEL} {between(interval, *scales)})"


def won_because(table: Table, verdict: Verdict | None = None) -> list[str]:
    """One or two sentences on the settings of the best line; none if there is no other.

    Args:
        table: Ranked runs.
        verdict: That of the judge, if it is known already.
    """
    verdict = verdict or judge(table)
    if not verdict.comparisons:
        return []
    found = effects(table, verdict.scale)
    if not found.all:
        return _untested(table, verdict)
    shown = [effect for effect in found.all if found.shown(effect)]
    against = [effect for effect in shown if effect.difference.size < 0]
    helped = [effect for effect in shown if effect.difference.size > 0]
    unclear = [effect for effect in found.all if effect not in shown]
    sentences = _won_by(helped, unclear, found, table) if helped or not against else []
    for effect in against[:MAX_NAMED]:  # the best combination may have a value that is worse
        size = f"{found.size(effect, table)} {table.metric}, {effect.how}"
        sentences.append(f"Line 1 won in spite of {effect.what}: {size}.")
    return sentences


def _won_by(shown: list[Effect], unclear: list[Effect], found: Effects, table: Table) -> list[str]:
    """A sentence or two on the settings that are shown to be better, or else on the others."""
    first, *rest = shown or unclear
    size = f"{found.size(first, table)} {table.metric}, {first.how}"
    lead = "Line 1 won by" if shown else "No setting is shown to matter: the largest effect is"
    sentences = [f"{lead} {first.what}: {size}."]
    if shown and not rest:
        rest, shown = unclear, []
    if rest:
        lead = "Then by" if shown else "Not shown to matter:"
        second, *more = rest
        names = [name for effect in more for name in effect.names]
        tail = f"; {'also' if shown else 'nor'} {_listed(names)}" if names else ""
        sentences.append(f"{lead} {second.what}: {found.size(second, table)}{tail}.")
    return sentences


def _untested(table: Table, verdict: Verdict) -> list[str]:
    """Too few runs to measure an effect: what differs, and what would tell."""
    second = verdict.comparisons[0]
    first_settings, settings = (table.groups[k].settings for k in (0, 1))
    short = short_names(table.columns)
    differing = [
        f"{short[name]}={_text(first_settings, name)}, not {_text(settings, name)}"
        for name in table.columns
        if _key(first_settings, name) != _key(settings, name)
    ]
    scales = second.difference.log, table.larger
    lead = f"Line 1 leads line 2 by {amount(second.difference.size, *scales)} {table.metric}"
    what = _listed(differing, "; ") if differing else "no setting that is recorded"
    if second.decision != "one seed":
        return [f"{lead}; they differ in {what}."]
    return [
        f"{lead}; they differ in {what}.",
        "One seed decides nothing: train both with more, such as seed=1,2,3,4,5.",
    ]


def _listed(names: Sequence[str], mark: str = ", ") -> str:
    more = len(names) - MAX_NAMED
    return mark.join([*names[:MAX_NAMED], *[f"{more} more"] * (more > 0)])


# ------------------------------------------------------------------------------ effects


def effects(table: Table, scale: Scale) -> Effects:
    """The effects of all settings that can be measured, the surest first."""
    groups = [group for group in table.groups if math.isfinite(group.score.mean)]
    columns = _changed_together(groups, table.columns)
    found = [one for names in columns if (one := _matched(names, groups, table, scale))]
    if not found and len(groups) >= MIN_UNMATCHED:
        found = [one for names in columns if (one := _nearest(names, groups, table, scale))]
    found.sort(key=lambda effect: (effect.difference.p, -abs(effect.difference.size)))
    return Effects(found)


def _key(settings: Any, name: str) -> Any:
    return identity(settings.get(name, ABSENT))


def _text(settings: Any, name: str) -> str:
    value = settings.get(name, ABSENT)
    return f"{value:.4g}" if isinstance(value, float) else format_value(value)


def _changed_together(groups: Sequence[Group], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Settings, those that always change together as one."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for name in columns:
        values = [_key(_settings(group), name) for group in groups]
        order = list(dict.fromkeys(values))
        if len(order) > 1:
            alike.setdefault(tuple(map(order.index, values)), []).append(name)
    return [tuple(names) for names in alike.values()]


def _settings(group: Group) -> dict[str, Any]:
    return {"experiment": group.runs[0].experiment} | group.settings


def _matched(
    names: tuple[str, ...], groups: Sequence[Group], table: Table, scale: Scale
) -> Effect | None:
    """The effect between runs that agree in all other settings and in the seed."""
    others = [name for name in table.columns if name not in names]
    cells: dict[Any, dict[Any, float]] = {}
    texts: dict[Any, str] = {}
    for group in groups:
        settings = _settings(group)
        value = tuple(_key(settings, name) for name in names)
        texts[value] = "/".join(_text(settings, name) for name in names)
        rest = tuple(_key(settings, name) for name in others)
        for seed, figure in scale.arm(arm(group, table.over)).items():
            cells.setdefault((rest, seed), {})[value] = figure
    winner = tuple(_key(_settings(groups[0]), name) for name in names)
    gains, compared = [], dict.fromkeys(texts, False)
    for cell in cells.values():
        figures = [figure for value, figure in cell.items() if value != winner]
        if winner in cell and figures:
            gains.append(cell[winner] - sum(figures) / len(figures))
            compared |= dict.fromkeys(cell, True)
    measured = paired(gains, scale) if len(gains) > 1 else None
    if measured is None or not measured.known:
        return None
    values = [text for value, text in texts.items() if compared[value] and value != winner]
    short = "/".join(short_names(table.columns)[name] for name in names)
    what = f"{short}={texts[winner]} rather than {_listed(values)}"
    how = f"from {len(gains)} comparisons of runs alike in all else"
    return Effect(what, names, measured, how, max(1.0, (len(values) + 1) / 2))


def _nearest(
    names: tuple[str, ...], groups: Sequence[Group], table: Table, scale: Scale
) -> Effect | None:
    """The half of the lines nearest to the winner's value against the rest, without the winner."""
    values = [_settings(group).get(names[0], ABSENT) for group in groups]
    positions = axis(names[0], values).positions
    rest = sorted(range(1, len(groups)), key=lambda k: abs(positions[k] - positions[0]))
    reach = abs(positions[rest[len(rest) // 2 - 1]] - positions[0])
    near = [k for k in rest if abs(positions[k] - positions[0]) <= reach]
    scores = [group.score.mean for group in groups]
    far = [k for k in rest if k not in near]
    if min(len(near), len(far)) < 2:
        return None
    measured = difference({k: scores[k] for k in near}, {k: scores[k] for k in far}, scale)
    if not measured.known:
        return None
    numbers = [values[k] for k in (0, *near)]
    is_range = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    short = "/".join(short_names(table.columns)[name] for name in names)
    what = f"{short} near {format_value(numbers[0])}"
    if is_range:
        what = f"{short} from {min(numbers):.3g} to {max(numbers):.3g} rather than outside"
    how = f"{len(near)} lines against {len(far)}, the winner left out"
    return Effect(what, names, measured, how)
