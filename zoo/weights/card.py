"""A model card: what a run was, in Markdown, from what it wrote."""

from typing import Any

import yaml

from zoo.errors import UserError
from zoo.runs.directory import RunDirectory

SHOWN = ("model", "data", "task", "adapter", "optim", "schedule", "trainer", "init")


def model_card(run: RunDirectory, settings: dict[str, Any], files: str) -> str:
    """Data, recipe, metrics and environment of a run.

    Args:
        run: The run.
        settings: Its config.
        files: A line on what lies beside the card and how to read it.
    """
    try:
        result = run.read_json("result.json")
    except UserError:
        result = {}
    data = result.get("data", {})
    sizes = ", ".join(f"{count:,} {split}" for split, count in data.get("sizes", {}).items())
    rows = []
    figures = {"validation": result.get("val") or {}, "test": result.get("test") or {}}
    for name in dict.fromkeys(n for part in figures.values() for n in part):
        cells = [f"{part[name]:.4f}" if name in part else "" for part in figures.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    environment = result.get("environment", {})
    recipe = yaml.safe_dump({k: settings[k] for k in SHOWN if k in settings}, sort_keys=False)
    parts = [
        f"# {settings['name']}",
        files,
        f"A `{settings['model']['name']}` of {result.get('parameters', 0):,} parameters, trained "
        f"for `{settings['task']['name']}` on `{settings['data']['name']}`.",
        "## Metrics",
        "| | validation | test |\n|---|---|---|\n" + "\n".join(rows) if rows else "None recorded.",
        "## Data",
        f"`{settings['data']['name']}`: {sizes or 'sizes not recorded'}. "
        f"SHA-256 `{data.get('sha256', 'not recorded')}`.",
        "## Recipe",
        f"Seed {settings['seed']}, {result.get('steps', 0):,} steps, "
        f"{result.get('seconds', 0.0) / 60:.1f} minutes.",
        f"```yaml\n{recipe}```",
        "## Environment",
        "\n".join(f"- {name}: {value}" for name, value in environment.items()) or "Not recorded.",
        f"Code: commit `{result.get('commit') or 'not recorded'}` of Zoo.",
    ]
    return "\n\n".join(parts) + "\n"
