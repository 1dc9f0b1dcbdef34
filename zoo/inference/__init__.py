"""Algorithms over a model's forward pass: what to make of it once it is trained."""
