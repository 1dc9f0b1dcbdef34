"""Drawn images judged: beside real ones, and beside the simplest model of each class."""
