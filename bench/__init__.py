"""Measurements beside peers: `python -m bench` prints one table of ratios (docs/reference/benchmarks.md says how)."""
