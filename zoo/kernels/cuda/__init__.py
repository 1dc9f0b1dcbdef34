"""Faster implementations on NVIDIA's GPUs, each held to its reference by tests/kernels."""
