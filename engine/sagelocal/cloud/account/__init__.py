"""What an AWS account has around SageMaker: identities, roles, image repositories, logs."""
