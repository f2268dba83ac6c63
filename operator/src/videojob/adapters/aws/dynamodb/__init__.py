"""Results in one DynamoDB table: `sink` for a run, `job_store` for the processes of a job on a cluster."""
