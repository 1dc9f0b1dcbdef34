"""The command `compare --decide A B`: checks, and what it says at the end."""

import argparse
import contextlib
import json
import shlex
import sys
from typing import Any

from zoo.commands.decide import NAMES, Arm, Decider, find_arm, train_until_decided
from zoo.compare.difference import Difference
from zoo.compare.formats import counterpart, figure
from zoo.compare.sequential import FIRST, interval
from zoo.compare.wording import amount, between
from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.files import finite
from zoo.program import command_line, spelled
from zoo.runs.rank import Group, measured
from zoo.runs.settings import ABSENT, format_value, identity
from zoo.terminal import command_lines, folded, line_width


def decide(arguments: argparse.Namespace) -> int:
    """Train more seeds of two until decided; returns the exit code.

    Raises:
        UserError: Two that cannot be decided.
    """
    decider = _checked(arguments)
    with contextlib.ExitStack() as stack:
        if arguments.json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        code = train_until_decided(decider)
    if arguments.json:
        print(json.dumps(finite(as_json(decider)), indent=1))
    else:
        print("\n".join(as_text(decider, stopped=code >= 128)))
    return code


def _checked(arguments: argparse.Namespace) -> Decider:
    first, second = arms = find_arm(arguments.decide[0]), find_arm(arguments.decide[1])
    if first.key == second.key:
        raise UserError("--decide: A and B have the same settings: there is nothing to decide")
    if first.example.data != second.example.data:
        data = f"{first.example.data} and {second.example.data}"
        raise UserError(f"--decide: A and B were trained on different data, {data}")
    monitors = [arm.example.monitor for arm in arms]
    if monitors[0] != monitors[1] and not arguments.metric:
        raise UserError(
            f"--decide: A monitors {monitors[0]}, B {monitors[1]}: say --metric val/<name>"
        )
    metric = arguments.metric or "val/" + monitors[0].lstrip("-")
    if not metric.startswith("val/"):
        raise UserError(
            f"--metric {metric}: --decide decides by validation (val/<name>), and shows the test "
            f"metrics once, at its end"
        )
    for name, arm in zip(NAMES, arms, strict=True):
        if lacking := [r for r in arm.runs.values() if metric not in r.metrics]:
            known = ", ".join(n for n in sorted(lacking[0].metrics) if n.startswith("val/"))
            raise UserError(f"--decide: {name} has no {metric}; it has {known or 'none'}")
    of_a, of_b = (measured(arm.example, metric) for arm in arms)
    if of_a != of_b:
        differ = " and ".join(" ".join(found) or "the other has none" for found in (of_a, of_b))
        raise UserError(f"--decide: {metric} of A and B cannot be compared: {differ}")
    _check_code(arguments.folders, arms)
    return Decider((first, second), metric, arguments.margin, arguments.budget)


def _check_code(words: list[str], arms: tuple[Arm, ...]) -> None:
    """Code of the user's own is imported only if this command names it."""
    plugins = dict.fromkeys(
        o for arm in arms for o in arm.overrides if configs.key_of(o) == "plugins"
    )
    if missing := [o for o in plugins if o not in words]:
        raise UserError(
            f"the runs used code of their own, which is imported only on request: if you trust it, "
            f"add {shlex.join(missing)}"
        )
    if other := [word for word in words if word not in plugins]:
        raise UserError(f"--decide takes two runs, and no '{other[0]}' (see --help)")
    flags = [{o for o in arm.overrides if o.startswith(configs.CONFIG_DIR_FLAG)} for arm in arms]
    if flags[0] != flags[1]:
        raise UserError("--decide: A and B used configs of different folders (--config-dir)")


def as_text(decider: Decider, stopped: bool) -> list[str]:
    """What was decided, in lines."""
    lines = [""]
    for name, arm in zip(NAMES, decider.arms, strict=True):
        lines += [f"{name:9} {arm.example.path}", f"{'':9} {_differing(name, decider)}"]
        if decider.pairs:
            lines.append(f"{'':9} {decider.metric} {_mean(arm, decider, decider.metric)}")
    width = line_width(sys.stdout)
    lines.append(folded(_verdict(decider), width, f"{'verdict':10}", " " * 10))
    if decider.failed:
        lines.append(f"{'':9} {decider.failed} failed: without it, the mean is that of lucky runs")
    if decider.decision:
        lines += _test(decider)
    if not decider.decision:
        what = "go on" if stopped else "more"
        lines.append(command_lines(f"{what:9} ", spelled(command_line()), width))
    return lines


def _differing(name: str, decider: Decider) -> str:
    one, other = (arm.example.settings for arm in decider.arms[:: 1 if name == "A" else -1])
    names = [n for n in one | other if n != "seed" and _value(one, n) != _value(other, n)]
    return " ".join(f"{n}={format_value(one[n])}" for n in names if n in one) or "-"


def _value(settings: Any, name: str) -> Any:
    return identity(settings.get(name, ABSENT))


def _verdict(decider: Decider) -> str:
    found, metric = decider.found(), decider.metric
    if decider.pairs < FIRST:
        return f"not decided: both have {decider.pairs} of the {FIRST} seeds that are the fewest"
    size = f"{_size(found, decider)} {metric}"
    if decider.decision in NAMES:
        other = NAMES[1 - NAMES.index(decider.decision)]
        return f"{decider.decision} is better than {other}: {size}"
    margin = amount(decider.allowed, found.log, True).removeprefix("+")
    if decider.decision == "equal":
        return f"A and B are equal to within {margin}: {size}"
    return f"not decided: {size}"


def _size(found: Difference, decider: Decider) -> str:
    """`+0.0123 (95% interval +0.0080 to +0.0166, however often it is looked at; 7 seeds)`."""
    scales = found.log, decider.scale.larger
    ends = between(interval(found), *scales) if found.known else "unknown"
    size = f"A {'/' if found.log else '-'} B {amount(found.size, *scales)}"
    seeds = f"paired t-test, {found.runs[0]} seeds"
    return f"{size} (95% interval {ends}, valid however often one looks; {seeds})"


def _test(decider: Decider) -> list[str]:
    """The metric of the test split, which is shown once, when the decision stands."""
    other = counterpart(decider.metric)
    figures = [_mean(arm, decider, other) for arm in decider.arms]
    if not decider.pairs or "nan" in figures:
        return []
    shown = "  ".join(f"{name} {text}" for name, text in zip(NAMES, figures, strict=True))
    return [f"{'test':9} {other}  {shown}"]


def _mean(arm: Arm, decider: Decider, metric: str) -> str:
    """Of the seeds that both have."""
    runs = [arm.runs[seed] for seed in decider.shared]
    return figure(Group(runs, metric).score, len(runs))


def as_json(decider: Decider) -> dict[str, Any]:
    """For programs: `better_by` is above 0 where A is better."""
    found = decider.found()
    known = decider.pairs >= FIRST and found.known
    opened = decider.decision is not None
    other = counterpart(decider.metric)
    return {
        "decision": decider.decision,
        "metric": decider.metric,
        "method": "paired t-test, repeated after each seed by an alpha-spending function",
        "level": 0.95,
        "pairs": decider.pairs,
        "margin": decider.allowed,
        "log_scale": found.log,
        "better_by": found.size,
        "interval": list(interval(found)) if known else None,
        "failed": decider.failed,
        "arms": {
            name: {
                "path": str(arm.example.path),
                "seeds": sorted(arm.runs),
                "figures": {str(s): arm.runs[s].metrics[decider.metric] for s in sorted(arm.runs)},
                "test": Group(list(arm.runs.values()), other).score.mean if opened else None,
            }
            for name, arm in zip(NAMES, decider.arms, strict=True)
        },
    }
