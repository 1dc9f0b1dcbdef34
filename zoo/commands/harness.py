"""`python scripts/harness.py run=... tasks=...`: a run judged by the LM Evaluation Harness."""

import json
from typing import Any

from zoo.commands.arguments import modules, options, switch
from zoo.errors import UserError, report
from zoo.files import user_path, write_text
from zoo.runs.find import find_run

USAGE = """\
python scripts/harness.py run=outputs/<name>/<date_time> tasks=[arc_easy,hellaswag] [shots=5]

Judge a language model on tasks of the Language Model Evaluation Harness
(pip install --editable '.[harness]'), which downloads their data, or on tasks of your own.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
tasks=       [names] of tasks or groups of them
path=        a folder with tasks of your own, a YAML file each
shots=       examples before each question; by default as many as the task says
limit=       questions of each task at most
chat=        true: questions as messages in the run's chat template
system=      with chat=true, a system message
out=         a JSON file for the results, with what was asked and answered
checkpoint=  best (default), last, a step, or the name of a checkpoint
device=      auto (default), cpu, cuda, ...
batch=       texts that are generated together (default 16)
base=        the weights that a LoRA run's adapter belongs to, if they have moved
plugins=     [modules] to import first; those in the run's config are not imported by default
"""
COUNTS = {"shots": 0, "limit": 1, "batch": 1}  # the least value of each


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults = {"path": "", "shots": "", "limit": "", "chat": "false", "system": "", "out": ""}
    defaults |= {"checkpoint": "best", "device": "auto", "batch": "16", "base": "", "plugins": "[]"}
    values, overrides = options(argv, USAGE, run=..., tasks=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': a run is judged as trained; give only run=")
    numbers = {name: _count(name, values[name], least) for name, least in COUNTS.items()}
    chat = switch(values, "chat")
    if values["system"] and not chat:
        raise UserError("system= belongs to a conversation; add chat=true")
    path = user_path(values["path"]) if values["path"] else None
    if path is not None and not path.is_dir():
        raise UserError(f"path={path}: there is no such folder")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    results = _judged(values, run, path, chat, numbers)
    if values["out"]:
        from lm_eval.utils import handle_non_serializable

        text = json.dumps(results, indent=2, default=handle_non_serializable, ensure_ascii=False)
        write_text(user_path(values["out"]), text + "\n")
    return 0


def _count(name: str, text: str, least: int) -> int | None:
    if text and (not text.isdecimal() or int(text) < least):
        raise UserError(f"{name}={text}: expected a whole number from {least} on")
    return int(text) if text else None


def _judged(
    values: dict[str, Any], run: Any, path: Any, chat: bool, numbers: dict[str, int | None]
) -> dict[str, Any]:
    """What the harness found; its table is printed.

    Raises:
        UserError: The harness is not installed; a task that it does not know.
    """
    try:
        import lm_eval
        from lm_eval.tasks import TaskManager
        from lm_eval.utils import make_table
    except ImportError as error:
        raise UserError(
            f"the harness needs a package ({error}): pip install --editable '.[harness]'"
        ) from None
    from zoo.commands.harness_model import ZooLM

    names = modules(values["tasks"])
    manager = TaskManager(include_path=path)
    if unknown := [name for name in names if not manager.match_tasks([name])]:
        raise UserError(
            f"tasks: the harness knows no {', '.join(unknown)}; its tasks: lm_eval ls tasks; your "
            f"own: path=<their folder>"
        )
    plugins = "+".join(modules(values["plugins"]))
    model = ZooLM(
        str(run),
        values["checkpoint"],
        values["device"],
        plugins,
        values["base"],
        numbers["batch"],
    )
    if chat:
        model.need_chat()
    results = lm_eval.simple_evaluate(
        model=model,
        tasks=names,
        task_manager=manager,
        num_fewshot=numbers["shots"],
        limit=numbers["limit"],
        apply_chat_template=chat,
        system_instruction=values["system"] or None,
    )
    print(make_table(results))
    if results.get("groups"):
        print(make_table(results, "groups"))
    return dict(results)
