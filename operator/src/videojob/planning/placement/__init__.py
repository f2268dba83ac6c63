"""Where a job's frames are answered, and how many pods that takes."""
