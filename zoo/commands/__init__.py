"""What each command does: options, answers, exit codes; scripts/ call these."""
