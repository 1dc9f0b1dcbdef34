"""Figures that tasks draw: predictions, attention, word vectors."""
