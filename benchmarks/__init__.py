"""Measurements: Zoo compared with named alternatives, and baselines that need no network."""
