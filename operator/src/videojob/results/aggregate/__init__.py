"""PURE: from the boxes of single frames to segment results, and from those to a job's summary."""
