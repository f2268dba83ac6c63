"""AWS, through boto3: the results table, models in S3, and the checks of `videojob doctor`."""
