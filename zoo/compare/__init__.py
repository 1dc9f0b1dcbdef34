"""`scripts/compare.py`: runs ranked, drawn, told apart; read and ranked by `zoo.runs`."""
