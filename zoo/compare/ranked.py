"""`zoo.compare(...)`: compare.py as a function."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from zoo.compare import data_formats, formats
from zoo.errors import UserError
from zoo.files import user_path
from zoo.rows import Rows
from zoo.runs.rank import Table, rank
from zoo.runs.records import UnrankedRun, read_runs

Path = str | os.PathLike[str]


@dataclass(frozen=True, repr=False)
class RankedRuns:
    """Ranked runs, what they decide, and those that cannot be ranked.

    Shown as `compare.py` prints them, in a notebook as tables.

    Attributes:
        tables: One for each experiment, data and metric.
        unranked: Runs that failed, are not finished, or lack the metric.
    """

    tables: list[Table]
    unranked: list[UnrankedRun]

    @cached_property
    def rows(self) -> Rows:
        """A row for each line of the tables, best first, as `compare.py --csv`: `metric`, `place`,
        the mean and deviation of each metric, settings; `pandas.DataFrame(rows)` is a table."""
        return Rows(data_formats.records(self.tables, self.unranked))

    @cached_property
    def content(self) -> dict[str, Any]:
        """Everything, as `compare.py --json`: of each of `tables` its `verdict` (`first_is_best`,
        `against_first` with intervals and p-values, `text`), `won_because`, `groups`."""
        return json.loads(data_formats.as_json(self.tables, self.unranked))

    @property
    def decision(self) -> list[str]:
        """What is decided, a sentence each: of every table whether its first line is better, and
        which settings made it so."""
        many = len(self.tables) > 1
        return [
            f"{table.title}: {sentence}" if many else sentence
            for table, content in zip(self.tables, self.content["tables"], strict=True)
            for sentence in _said(content)
        ]

    def __str__(self) -> str:
        return formats.text(self.tables, self.unranked, fit=sys.stdout.isatty())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = []
        for table, content in zip(self.tables, self.content["tables"], strict=True):
            heading, *lines = formats.rows_of(table)
            rows = Rows(dict(zip(heading, line, strict=True)) for line in lines)
            listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in _said(content))
            parts.append(
                f"<p><b>{escape(table.title)}</b></p>{rows._repr_html_()}<ul>{listed}</ul>"
            )
        parts += [f"<p>{escape(f'{r.state}: {r.path}: {r.reason}')}</p>" for r in self.unranked]
        return "".join(parts)


def _said(table: dict[str, Any]) -> list[str]:
    return [*table["verdict"]["text"], *table["won_because"]]


def compare(
    runs: Path | Iterable[Path], metric: str | None = None, group_by: Iterable[str] = ("seed",)
) -> RankedRuns:
    """Rank runs, decide which are better, and say why.

    Args:
        runs: Runs, sweeps, or folders of any of them; one or several.
        metric: `val/<name>` or `test/<name>`; by itself what each experiment monitors. With one,
            different experiments on the same data are ranked together.
        group_by: Settings to average over; none for a line for each run.

    Raises:
        UserError: A folder that does not exist or holds no run, an unknown metric or setting.
    """
    folders = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    if not folders:
        raise UserError("which runs? give folders, such as 'outputs'")
    done, unranked = read_runs([user_path(os.fspath(folder)) for folder in folders])
    tables, lacking = rank(done, metric, tuple(group_by))
    return RankedRuns(tables, unranked + lacking)
