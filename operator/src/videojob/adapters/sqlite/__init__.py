"""Results in one SQLite file: the laptop's results table."""
