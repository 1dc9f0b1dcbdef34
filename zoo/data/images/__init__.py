"""Images: read from files, decoded, augmented."""
