"""Faster implementations on CPUs, each held to its reference by tests/kernels."""
