"""What decisions read and return: the observed, the desired, the last status, and the snapshot of one reconcile."""
