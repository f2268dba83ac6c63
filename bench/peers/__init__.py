"""What is measured, one way of doing the work a file; each runs in a process of its own (see `bench.child`)."""
