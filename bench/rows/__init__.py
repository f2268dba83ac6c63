"""The rows of the table, one theme a file."""
