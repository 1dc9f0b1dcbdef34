"""Rotary positions in a published config.json: the old fields and the new one.

Old: `rope_theta` and `rope_scaling`; new: `rope_parameters`, which holds both.
"""

from typing import Any

from zoo.weights.family import Settings

Config = dict[str, Any]
BASE = 10_000.0
SCALINGS = {  # settings that go with a type, by the type
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
}


def rope_settings(config: Config, default: float = BASE) -> Settings:
    """Our options, `rope_base` and `rope_scaling`.

    Args:
        config: Of the weights.
        default: The base, where it states none.

    Raises:
        ValueError: A type that our model has not, a setting that it lacks.
    """
    stated = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(stated, dict):
        raise ValueError(f"config.json has rope_scaling={stated}, expected an object")
    if kinds := [name for name, value in stated.items() if isinstance(value, dict)]:
        raise ValueError(f"config.json has rotary positions for {kinds[0]}, expected one for all")
    base = stated.get("rope_theta") or config.get("rope_theta") or default
    if stated.get("partial_rotary_factor") not in (None, 1, 1.0):
        raise ValueError(
            f"config.json has partial_rotary_factor={stated['partial_rotary_factor']} (expected 1)"
        )
    kind = stated.get("rope_type", stated.get("type", "default"))
    if kind == "default":
        return {"rope_base": float(base), "rope_scaling": None}
    if kind not in SCALINGS:
        known = ", ".join(("default", *SCALINGS))
        raise ValueError(f"config.json scales rotary positions by {kind} (known: {known})")
    defaults = {"original_max_position_embeddings": config.get("max_position_embeddings")}
    values = {name: stated.get(name, defaults.get(name)) for name in SCALINGS[kind]}
    if lost := [name for name, value in values.items() if not isinstance(value, int | float)]:
        raise ValueError(f"config.json has rope_scaling={stated} without {', '.join(lost)}")
    return {"rope_base": float(base), "rope_scaling": {"type": kind} | values}


def rope_fields(settings: Settings) -> Config:
    """The old fields, which old and new programs read."""
    scaling = settings.get("rope_scaling")
    fields: Config = {"rope_theta": settings.get("rope_base", BASE)}
    if scaling is not None:
        rest = {name: value for name, value in scaling.items() if name != "type"}
        fields["rope_scaling"] = {"rope_type": scaling["type"]} | rest
    return fields
