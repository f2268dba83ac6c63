"""The operator on the cluster: events into a queue of its own, and one level-triggered reconcile behind it."""
