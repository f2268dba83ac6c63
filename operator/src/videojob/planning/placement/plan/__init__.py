"""The plan of a job: every way to run it, what each costs and when it ends, and which one is chosen and why."""
