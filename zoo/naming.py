"""Naming conventions: which part of a model is its output layer."""

HEADS = ("head", "fc")  # ours; that of residual networks, whose names are torchvision's


def in_head(name: str) -> bool:
    """Whether a parameter or module, named with dots, lies in the output layer."""
    return not set(HEADS).isdisjoint(name.split("."))
