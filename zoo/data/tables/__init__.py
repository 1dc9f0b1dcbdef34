"""Tables: read from CSV files, encoded by column."""
