"""Adapters: a trained model, changed by training a small part of it or beside it."""
