"""Data: splits, encodings, files. A dataset states facts; it knows no model and no task."""
