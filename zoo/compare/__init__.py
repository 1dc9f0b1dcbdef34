"""`scripts/compare.py`: tables, plots and differences of runs (read and ranked by zoo/runs)."""
