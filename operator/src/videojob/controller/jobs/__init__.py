"""Reconciling VideoJobs."""
