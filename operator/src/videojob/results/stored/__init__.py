"""PURE: results as items of a table, and as bytes."""
