"""Settings of runs: which decide the outcome, which differ, how a table names and spells them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

WITHOUT_EFFECT = frozenset(
    """seed name experiment output_dir resume plugins data.root data.workers
    trainer.device trainer.log_steps trainer.save_steps trainer.save_minutes""".split()
)
OF_SEED = ("data.split_seed",)  # the seed's value unless they are set
ABSENT = "-"  # a setting that a run's model or data has not
Settings = Mapping[str, Any]


def flat(config: Settings, prefix: str = "") -> dict[str, Any]:
    """The values of a config by dotted name, without those that do not change the outcome.

    The seed is among those: what it changes is chance.
    """
    values: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if name in WITHOUT_EFFECT or name.startswith("expect"):
            continue
        if isinstance(value, dict):
            values |= flat(value, f"{name}.")
        else:
            values[name] = value
    return values


def identity(value: Any) -> Any:
    """The same for values that mean the same: 0 and 0.0, but not 1 and true."""
    if isinstance(value, list | tuple):
        return tuple(map(identity, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return spell(value)


def differing(runs: Sequence[Settings], typed: Collection[str] = ()) -> list[str]:
    """Names of the settings in which runs differ, but for those that merely come with a choice.

    `optim.betas` comes with `optim=adamw`: where all of one optimizer agree in it, the optimizer's
    name says it all. An experiment's name does so for every setting.

    Args:
        runs: Settings by dotted name.
        typed: Names that somebody set by hand, which are never left out.
    """
    names = dict.fromkeys(name for run in runs for name in run)
    columns = {name: [identity(run.get(name, ABSENT)) for run in runs] for name in names}
    columns = {name: column for name, column in columns.items() if len(set(column)) > 1}
    choices = [name for name in columns if name.endswith(".name")]
    if all(run.get("experiment") for run in runs):  # else some follow no recipe
        choices += ["experiment"] * ("experiment" in columns)

    def follows(name: str) -> bool:
        for choice in choices:
            group = "" if choice == "experiment" else choice.removesuffix("name")
            if name != choice and name.startswith(group):
                pairs = set(zip(columns[choice], columns[name]))
                if len(pairs) == len(set(columns[choice])):
                    return True
        return False

    return [name for name in columns if name in typed or not follows(name)]


def short_names(names: Sequence[str], taken: Collection[str] = ()) -> dict[str, str]:
    """`lr` for `optim.lr`, `optim` for `optim.name`; all of it where two would share that.

    Args:
        names: Dotted names.
        taken: Short names that mean something else already.
    """
    short = {name: name.removesuffix(".name").rpartition(".")[2] for name in names}
    ends = [*short.values(), *taken]
    return {name: end if ends.count(end) == 1 else name for name, end in short.items()}


def spell(value: Any) -> str:
    """A value as it would be typed; no digit of a number is lost."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(spell, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{spell(one)}' for key, one in value.items())}}}"
    return str(value)
