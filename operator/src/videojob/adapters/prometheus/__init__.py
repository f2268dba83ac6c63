"""Metrics of other programs, in the text format of Prometheus."""
