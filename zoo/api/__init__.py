"""What `import zoo` offers: the commands as functions, and a run as an object."""
