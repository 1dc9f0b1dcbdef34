"""Zoo: a PyTorch model zoo with one config-driven trainer."""

__version__ = "0.1.0"
