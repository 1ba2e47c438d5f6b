"""Lambda functions run on this machine as Lambda runs them."""
