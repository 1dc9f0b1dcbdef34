"""Models, one paper per file. A new file here registers its model; there is no list to edit."""
