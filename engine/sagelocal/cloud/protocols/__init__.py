"""AWS services as tables of operations, spoken over HTTP in the protocols that botocore's models name."""
