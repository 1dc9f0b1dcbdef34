"""A model card in Markdown, from what a run wrote."""

import yaml

from zoo.config.run import RunConfig
from zoo.errors import UserError
from zoo.runs.directory import RunDirectory
from zoo.runs.result import read_result

SHOWN = ("model", "data", "task", "adapter", "optim", "schedule", "trainer", "init", "teacher")


def model_card(run: RunDirectory, config: RunConfig, files: str, example: str = "") -> str:
    """Data, recipe, metrics and environment of a run.

    Args:
        run: The run.
        config: Its config.
        files: A line on the files in the folder of the card and how to read them.
        example: Python code that uses them, if there is any.
    """
    try:
        result = read_result(run)
    except UserError:
        result = {}
    data = result.get("data", {})
    sizes = ", ".join(f"{count:,} {split}" for split, count in data.get("sizes", {}).items())
    rows = []
    metrics = {"validation": result.get("val") or {}, "test": result.get("test") or {}}
    for name in dict.fromkeys(n for split in metrics.values() for n in split):
        values = [split.get(name) for split in metrics.values()]  # None: not finite, or not there
        cells = ["" if value is None else f"{value:.4f}" for value in values]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    environment = result.get("environment", {})
    settings = config.to_dict()
    recipe = yaml.safe_dump({k: settings[k] for k in SHOWN if k in settings}, sort_keys=False)
    parts = [
        f"# {config.name}",
        files,
        f"A `{config.model['name']}` of {result.get('parameters', 0):,} parameters, trained "
        f"for `{config.task['name']}` on `{config.data['name']}`.",
        *([f"## Use\n\n```python\n{example}```"] if example else []),
        "## Metrics",
        "| | validation | test |\n|---|---|---|\n" + "\n".join(rows) if rows else "None recorded.",
        "## Data",
        f"`{config.data['name']}`: {sizes or 'sizes not recorded'}. "
        f"SHA-256 `{data.get('sha256', 'not recorded')}`.",
        "## Recipe",
        f"Seed {config.seed}, {result.get('steps', 0):,} steps, "
        f"{result.get('seconds', 0.0) / 60:.1f} minutes.",
        f"```yaml\n{recipe}```",
        "## Environment",
        "\n".join(f"- {name}: {value}" for name, value in environment.items()) or "Not recorded.",
        f"Code: commit `{result.get('commit') or 'not recorded'}` of Zoo.",
    ]
    return "\n\n".join(parts) + "\n"
