"""Run directories: what every tool reads. Knows nothing of models or torch."""
