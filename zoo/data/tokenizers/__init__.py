"""Tokenizers: bytes, characters, BPE, and published vocabularies."""
