"""`python scripts/preferences.py run=...`: a model's own wrong answers, each beside the right one.

The preferences that `task=dpo` learns from, without people: the better answer is the response of
the data, the worse one is sampled from the run (as the opponents of Chen et al., 2024,
https://arxiv.org/abs/2401.01335), and is one that the data's verifier refuses, where there is one.
The random numbers follow from the seed and the prompt, so that a run gives the same file again.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.commands.arguments import modules, options
from zoo.errors import UserError, report, unknown_name
from zoo.files import user_path, write_text
from zoo.runs.find import find_run
from zoo.terminal import warn

if TYPE_CHECKING:
    from zoo.restore import Restored

USAGE = """\
python scripts/preferences.py run=outputs/<name>/<date_time> path=preferences.jsonl

Samples answers of a language model to the prompts of its data, and writes those that are wrong
beside the right ones, a JSON object a line: prompt, chosen, rejected, split (train, val or test, as
in the run). For task=dpo: data=preferences data.path=preferences.jsonl data.split_column=split

run=         a run on prompts and responses (data=sft, stdlib_functions, sums, ...), or on
             conversations, of which the last answer is taken
path=        the file to write
better=      response (default): the better answer is that of the data; own: the first of the run's
             own that the verifier of the data accepts, so that both are the model's; both: to
             train on, a pair of each kind where there are both; for validation and test, the data's
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
BETTER = ("response", "own", "both")
Row = dict[str, Any]


class Asked(NamedTuple):
    """A prompt.

    Attributes:
        prompt: Its ids.
        response: Ids of the right answer, without the end.
        row: `prompt` and `chosen` of the file.
    """

    prompt: list[int]
    response: list[int]
    row: Row


class Settings(NamedTuple):
    """How answers are sampled: the options of these names."""

    samples: int
    max_tokens: int
    prompts: int | None
    seed: int
    better: str


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"checkpoint": "best", "device": "auto", "plugins": "[]", "base": ""}
    numbers = {"samples": "4", "max_tokens": "128", "prompts": "", "seed": "0"}
    defaults |= numbers | {"better": "response"}
    values, overrides = options(argv, USAGE, run=..., path=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': the prompts are those of the run's own data")
    settings = Settings(
        _number(values, "samples", 1),
        _number(values, "max_tokens", 1),
        _number(values, "prompts", 1) if values["prompts"] else None,
        _number(values, "seed", 0),
        values["better"],
    )
    if settings.better not in BETTER:
        raise UserError(unknown_name("better", settings.better, BETTER))
    path = user_path(values["path"])
    if path.exists():
        raise UserError(f"path={path} is there already; give another name, or delete it")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore

    plugins, base = modules(values["plugins"]), values["base"]
    restored = restore(run, values["checkpoint"], values["device"], plugins, warn, base)
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


def preference_rows(restored: "Restored", settings: Settings) -> list[Row]:
    """Prompts, each with its response and a wrong answer of the run, in the order of the data.

    Raises:
        UserError: The run's data are no prompts with responses, and no conversations.
    """
    from zoo.build import build_dataset

    encoding = restored.encoding
    dataset = build_dataset(restored.config.data, encoding.to_json(), online=False)
    is_asked = hasattr(encoding, "without_template") and all(
        hasattr(dataset.splits[split], "scored") for split in SPLITS
    )
    if not is_asked and not dataset.conversations:
        name = restored.config.data["name"]
        raise UserError(
            f"run={restored.run.path}: of its data={name} no answers are known; expected a run on "
            f"prompts and responses, or on conversations, such as data=sft or data=stdlib_functions"
        )
    if settings.better != "response" and "verifier" not in encoding.runtime_facts:
        raise UserError(
            f"better={settings.better} needs a verifier, which says what is right; the data of "
            f"{restored.run.path} have none"
        )
    rows: list[Row] = []
    for split in SPLITS:
        if dataset.conversations:
            asked = _of_messages(encoding, dataset.conversations[split])
        else:
            asked = _of_texts(encoding, dataset.splits[split])
        pairs = _pairs_of_split(restored, asked, split, settings)
        rows += [row | {"split": split} for own in pairs for row in own]
        count = sum(map(bool, pairs))
        print(f"{split}: {count:,} of {len(pairs):,} prompts have a pair", flush=True)
    return rows


def _pairs_of_split(
    restored: "Restored", asked: list[Asked], split: str, settings: Settings
) -> list[list[Row]]:
    """The pairs of each prompt that is taken of a split, in the order of the data."""
    from zoo.batch import spread

    asked = [asked[k] for k in spread(len(asked), settings.prompts).tolist()]
    if settings.better == "both" and split != "train":  # judged by what the data say
        settings = settings._replace(better="response")
    found: dict[int, list[Row]] = {}
    order = sorted(range(len(asked)), key=lambda k: len(asked[k].prompt))  # batched by length
    for start in range(0, len(order), TOGETHER):
        numbers = order[start : start + TOGETHER]
        pairs = _pairs(restored, [asked[k] for k in numbers], settings)
        found |= dict(zip(numbers, pairs, strict=True))
    return [found[k] for k in sorted(found)]


def _of_texts(encoding: Any, source: Any) -> list[Asked]:
    """The prompts of a split and their responses."""
    import torch

    from zoo.tasks.rewards import Questions

    decode, asked = encoding.tokenizer.decode, []
    for part in torch.arange(len(source)).split(TOGETHER):
        questions = Questions.of(encoding.prepare(source.fetch(part)))
        for prompt, response in zip(*questions, strict=True):
            text = encoding.without_template(decode(prompt))
            row = {"prompt": text, "chosen": decode(response or [])}
            asked.append(Asked(prompt, response or [], row))
    return asked


def _of_messages(encoding: Any, conversations: Sequence[list[dict[str, str]]]) -> list[Asked]:
    """What each conversation says before its last answer, and that; long ones are left out."""
    asked = []
    for messages in conversations:
        last = max(k for k, message in enumerate(messages) if message["role"] == "assistant")
        before, answer = encoding.chat.answer(messages[: last + 1])
        if len(before) + len(answer) <= encoding.length + 1:  # the last token is only a target
            row = {"prompt": messages[:last], "chosen": messages[last : last + 1]}
            asked.append(Asked(before.tolist(), answer[:-1].tolist(), row))
    return asked


def _pairs(restored: "Restored", asked: Sequence[Asked], settings: Settings) -> list[list[Row]]:
    """The pairs of each prompt: none where too few of its answers are as they should be."""
    from zoo.tasks.rewards import Questions, Rewarder
    from zoo.tasks.rollouts import own_draws, roll_out

    encoding, facts = restored.encoding, restored.encoding.runtime_facts
    decode = facts["tokenizer"].decode
    end = facts["chat"].end_id if "chat" in facts else encoding.pad_id  # type: ignore[attr-defined]
    rewarder, length = Rewarder(facts["tokenizer"], facts.get("verifier")), settings.max_tokens
    draws = own_draws([a.prompt for a in asked], settings.samples * length, settings.seed)
    wanted = {"wrong"} if settings.better == "response" else {"right", "wrong"}
    found: list[Row] = [{} for _ in asked]  # the first of its answers that is right, and wrong
    open_places: Sequence[int] = range(len(asked))
    for k in range(settings.samples):
        if not open_places:
            break
        questions = Questions(
            [asked[p].prompt for p in open_places], [asked[p].response for p in open_places]
        )
        own = draws[list(open_places), k * length : (k + 1) * length]
        rollouts = roll_out(restored.model, questions.prompts, end, length, own)
        right = rewarder.rewards(questions, rollouts).tolist()
        for i, place in enumerate(open_places):
            answer = decode(rollouts.answers[i])
            given = answer if "chat" not in facts else [{"role": "assistant", "content": answer}]
            if rollouts.ended[i] and answer.strip():
                is_right = right[i] >= 1 or given == asked[place].row["chosen"]
                found[place].setdefault("right" if is_right else "wrong", given)
        open_places = [place for place in open_places if not wanted <= found[place].keys()]
    return [_of_kinds(a.row, f, settings.better) for a, f in zip(asked, found, strict=True)]


def _of_kinds(row: Row, found: Row, better: str) -> list[Row]:
    """Of a prompt with its response, and of the answers that were found, the pairs of `better=`."""
    if "wrong" not in found or ("right" not in found and better != "response"):
        return []
    worse = {"rejected": found["wrong"]}
    pairs = [row | worse] if better != "own" else []
    return pairs if better == "response" else [*pairs, row | {"chosen": found["right"]} | worse]
