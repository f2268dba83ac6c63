"""From a manifest file to VideoJobs, or to every problem with its line."""
