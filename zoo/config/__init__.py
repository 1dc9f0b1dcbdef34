"""Configs: the groups that there are, composed, checked, and read back from a run."""
