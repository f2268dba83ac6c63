"""Diagrams and tables of the docs that are made from the code's own settings."""
