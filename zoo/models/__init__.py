"""Models: one paper, one file. Adding a file here registers its model; there is no list to edit."""
