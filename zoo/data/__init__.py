"""Datasets: one file each. A dataset states facts; it knows no model and no task."""
