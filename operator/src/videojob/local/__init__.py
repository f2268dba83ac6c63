"""The laptop: one process pool, an embedded Triton, SQLite; nothing else installed."""
