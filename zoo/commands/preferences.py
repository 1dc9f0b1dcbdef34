"""`python scripts/preferences.py run=...`: a model's own wrong answers, each beside the right one.

The preferences that `task=dpo` learns from, without people: the better answer is the response of
the data, the worse one is sampled from the run (as the opponents of Chen et al., 2024,
https://arxiv.org/abs/2401.01335), and is one that the data's verifier refuses, where there is one.
The random numbers follow from the seed and the prompt, so that a run gives the same file again.
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.commands.arguments import options
from zoo.commands.evaluate import modules
from zoo.errors import UserError, report
from zoo.files import user_path, write_text
from zoo.runs.find import find_run
from zoo.terminal import remark

if TYPE_CHECKING:
    from zoo.restore import Restored

USAGE = """\
python scripts/preferences.py run=outputs/<name>/<date_time> path=preferences.jsonl

Samples answers of a language model to the prompts of its data, and writes those that are wrong
beside the right ones, a JSON object a line: prompt, chosen, rejected, split (train, val or test, as
in the run). For task=dpo: data=preferences data.path=preferences.jsonl data.split_column=split

run=         a run on prompts and responses (data=sft, stdlib_functions, sums, ...)
path=        the file to write
samples=     answers to try for each prompt, of which the first wrong one is taken (default 4)
max_tokens=  of an answer (default 128); one that does not end in time is not taken
prompts=     of each split, at most (default all)
seed=        of the answers (default 0)
checkpoint=  best (default), last, a step, or the name of a checkpoint
device=      auto (default), cpu, cuda, ...
plugins=     [modules] to import first; those in the run's config are not imported by default
base=        the weights that a LoRA run's adapter belongs to, if they have moved
"""
TOGETHER = 256  # prompts that are answered in one batch
SPLITS = ("train", "val", "test")
Row = dict[str, str]


class Settings(NamedTuple):
    """How answers are sampled: the options of these names."""

    samples: int
    max_tokens: int
    prompts: int | None
    seed: int


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"checkpoint": "best", "device": "auto", "plugins": "[]", "base": ""}
    numbers = {"samples": "4", "max_tokens": "128", "prompts": "", "seed": "0"}
    values, overrides = options(argv, USAGE, run=..., path=..., **numbers, **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': the prompts are those of the run's own data")
    settings = Settings(
        _number(values, "samples", 1),
        _number(values, "max_tokens", 1),
        _number(values, "prompts", 1) if values["prompts"] else None,
        _number(values, "seed", 0),
    )
    path = user_path(values["path"])
    if path.exists():
        raise UserError(f"path={path} is there already; give another name, or delete it")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore

    plugins, base = modules(values["plugins"]), values["base"]
    restored = restore(run, values["checkpoint"], values["device"], plugins, _warn, base)
    rows = preference_rows(restored, settings)
    if not rows:
        raise UserError(
            f"none of the answers that {run} sampled is wrong and ends within "
            f"max_tokens={settings.max_tokens}: there is nothing to prefer"
        )
    try:
        write_text(path, "".join(f"{json.dumps(row)}\n" for row in rows))
    except OSError as error:
        raise UserError(f"path={path}: cannot be written ({error.strerror})") from None
    counts = ", ".join(f"{sum(r['split'] == s for r in rows):,} {s}" for s in SPLITS)
    print(f"{path}: {len(rows):,} pairs ({counts})")
    return 0


def _number(values: dict[str, Any], name: str, least: int) -> int:
    text = values[name]
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"{name}={text}: expected a whole number, {least} or more")
    return int(text)


def _warn(text: str) -> None:
    remark(f"warning: {text}")


def preference_rows(restored: "Restored", settings: Settings) -> list[Row]:
    """Prompts, each with its response and a wrong answer of the run, in the order of the data.

    Raises:
        UserError: The run's data are no prompts with responses.
    """
    from zoo.batch import spread
    from zoo.build import build_dataset

    encoding = restored.encoding
    dataset = build_dataset(restored.config.data, encoding.to_json(), online=False)
    sources = {split: dataset.splits[split] for split in SPLITS}
    is_asked = all(hasattr(source, "scored") for source in sources.values())
    if not hasattr(encoding, "without_template") or not is_asked:
        raise UserError(
            f"run={restored.run.path}: its data are {encoding.holds}; expected a run on prompts "
            f"and responses, such as data=sft or data=stdlib_functions"
        )
    rows: list[Row] = []
    for split, source in sources.items():
        index = spread(len(source), settings.prompts)
        found: list[tuple[int, Row]] = []
        by_length = index[_prompt_lengths(source)[index].argsort(stable=True)]  # batched by length
        for part in by_length.split(TOGETHER):
            batch = encoding.prepare(source.fetch(part))
            for place, row in _answered(restored, batch, settings):
                found.append((int(part[place]), row | {"split": split}))
        rows += [row for _, row in sorted(found, key=lambda pair: pair[0])]
        print(f"{split}: {len(found):,} of {len(index):,} prompts have a wrong answer", flush=True)
    return rows


def _prompt_lengths(source: Any) -> Any:
    """Tokens before each row's response, int64 (N,)."""
    import torch

    starts, lengths = source.rows.starts
    before = torch.cat([torch.zeros(1, dtype=torch.int64), source.scored.long().cumsum(0)])
    return lengths - (before[starts + lengths] - before[starts])  # a response ends its row


def _answered(restored: "Restored", batch: Any, settings: Settings) -> Iterator[tuple[int, Row]]:
    """Places in a batch of prompts of which a wrong answer was found, and the rows."""
    from zoo.tasks.rewards import Questions, Rewarder
    from zoo.tasks.rollouts import own_draws, roll_out

    encoding: Any = restored.encoding  # of prompts
    decode = encoding.tokenizer.decode
    rewarder = Rewarder(encoding.tokenizer, encoding.runtime_facts.get("verifier"))
    questions = Questions.of(batch)
    length = settings.max_tokens
    draws = own_draws(questions.prompts, settings.samples * length, settings.seed)
    open_places: Sequence[int] = range(len(questions.prompts))
    for k in range(settings.samples):
        if not open_places:
            return
        asked = Questions(*[[column[p] for p in open_places] for column in questions])  # type: ignore[arg-type]
        own = draws[list(open_places), k * length : (k + 1) * length]
        rollouts = roll_out(restored.model, asked.prompts, encoding.pad_id, length, own)
        right = rewarder.rewards(asked, rollouts).tolist()
        still_open = []
        for i, place in enumerate(open_places):
            answer = decode(rollouts.answers[i])
            chosen = decode(questions.responses[place] or [])
            if not rollouts.ended[i] or right[i] >= 1 or answer == chosen:
                still_open.append(place)
                continue
            prompt = encoding.without_template(decode(questions.prompts[place]))
            yield place, {"prompt": prompt, "chosen": chosen, "rejected": answer}
        open_places = still_open
