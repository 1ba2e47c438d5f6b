"""What programs written for AWS, the SageMaker SDK among them, need to work with this machine instead."""
