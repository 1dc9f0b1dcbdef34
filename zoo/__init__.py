"""Zoo: a PyTorch model zoo with one config-driven trainer.

    import zoo

    run = zoo.train("experiment=mlp_rain", "optim.lr=1e-2")
    run.predict({"temperature": 30, "humidity": 90})

`import zoo` alone imports nothing more: each name is imported when it is first used.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Run", "TrainingFailed", "UserError", "compare", "load", "train"]

_HOMES = {  # module of each name; zoo/__init__.pyi says the same to type checkers
    "Run": "zoo.api.run",
    "TrainingFailed": "zoo.errors",
    "UserError": "zoo.errors",
    "load": "zoo.api.run",
    "train": "zoo.api.train",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "compare":  # a package that can be called: importing a part of it hides no function
        return import_module("zoo.compare")
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
