"""By what people and leftovers recognise our containers and images."""

JOB_LABEL = "sagelocal.job"
"""On every container, volume and network that we make."""
EXECUTION_LABEL = "sagelocal.execution"
"""On every container and volume of a pipeline execution."""


def missing_text(image: str) -> str:
    """That the image is missing, and all ways out."""
    return (
        f"The image {image} is not on this machine, and sagelocal never pulls one. Ways out: `docker pull {image}`; "
        f'`docker tag LOCAL {image}`; map it in sagelocal.toml: [images."{image}"] with docker = "LOCAL" or '
        'python = "path/to/python"; or run with --runtime process'
    )
