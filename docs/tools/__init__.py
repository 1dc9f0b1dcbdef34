"""Tools that make the images of the documentation."""
