"""Algorithms over a trained model: generation, search, attention maps, nearest vectors."""
