"""Families of images."""

from __future__ import annotations

import pytest

from sagelocal.settings import ImageRule, Settings
from sagelocal_executors.images import Family, family_of

ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com/"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (ECR + "sagemaker-scikit-learn:1.2-1-cpu-py3", Family("sklearn", "1.2-1")),
        (ECR + "sagemaker-xgboost:1.7-1", Family("xgboost", "1.7-1")),
        (ECR + "xgboost:1", Family("xgboost", "1")),
        ("xgboost:1", None),
        (ECR + "pytorch-training:2.0.0-gpu-py310-cu118-ubuntu20.04-sagemaker", Family("generic", "2.0.0")),
        (
            ECR + "huggingface-pytorch-training:2.0.0-transformers4.28.1-gpu",
            Family("generic", "2.0.0-transformers4.28.1"),
        ),
        (ECR + "tensorflow-inference:2.13-cpu", Family("generic", "2.13")),
        (ECR + "sagemaker-spark-processing:3.3-cpu-py39-v1.1", Family("spark", "3.3")),
        (ECR + "sagemaker-model-monitor-analyzer", Family("model-monitor")),
        (ECR + "sagemaker-clarify-processing:1.0", Family("clarify", "1.0")),
        (ECR + "sagemaker-base-python-310:1.0", Family("generic", "1.0")),
        (ECR + "sagemaker-distribution-prod@sha256:0123", Family("generic")),
        ("public.ecr.aws/sagemaker/sagemaker-distribution:3.0.0-cpu", Family("generic", "3.0.0")),
        ("localhost:5000/my-own:1", None),
    ],
)
def test_the_family_follows_from_the_repository(image: str, expected: Family | None) -> None:
    assert family_of(image) == expected


def test_a_rule_of_the_settings_wins() -> None:
    settings = Settings(images={"*scikit*": ImageRule(family="generic"), "mine": ImageRule(family="sklearn")})

    assert family_of(ECR + "sagemaker-scikit-learn:1.2-1-cpu-py3", settings) == Family("generic", "1.2-1")
    assert family_of("mine", settings) == Family("sklearn")
