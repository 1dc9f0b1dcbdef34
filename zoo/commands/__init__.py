"""The commands: options, output, exit codes; scripts/ call these."""
