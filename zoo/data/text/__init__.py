"""Text: read from files, encoded as tokens, cut into windows, pairs and prompts."""
