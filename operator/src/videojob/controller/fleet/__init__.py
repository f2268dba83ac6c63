"""Reconciling the shared inference servers."""
