"""Datasets: one file each. Adding a file here registers its dataset."""
