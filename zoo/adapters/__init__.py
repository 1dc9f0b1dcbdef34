"""Adapters: fine-tuning of a small part of a model, or of small matrices added to it."""
