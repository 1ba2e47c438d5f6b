"""Policy documents, as IAM takes and gives them."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from sagelocal.cloud.protocols.service import RefusedError

TRUST: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {
                    "Service": [
                        "sagemaker.amazonaws.com",
                        "bedrock.amazonaws.com",
                        "lambda.amazonaws.com",
                        "events.amazonaws.com",
                        "scheduler.amazonaws.com",
                    ]
                },
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
"""The trust policy of roles that nobody has created."""


def checked(document: str) -> str:
    """The document, when it is a policy.

    Raises:
        RefusedError: MalformedPolicyDocument.
    """
    try:
        content = json.loads(document)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        message = "This policy contains invalid Json"
        raise RefusedError("MalformedPolicyDocument", message)
    if not content.get("Statement"):
        raise RefusedError("MalformedPolicyDocument", "Syntax errors in policy.")
    return document


def on_the_wire(document: str) -> str:
    """URL-encoded (RFC 3986), as IAM answers with documents."""
    return quote(document, safe="")
