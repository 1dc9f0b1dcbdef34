"""Sequences of bits to be remembered."""
