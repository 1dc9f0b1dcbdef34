"""Run directories, which every tool reads; independent of models and torch."""
