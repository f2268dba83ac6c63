"""PURE: from detections to windows, mergeable aggregates, table items, summary and report."""
