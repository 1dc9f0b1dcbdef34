"""Weights in and out: published ones, other runs', and the formats that other tools read."""
