"""Ids as IAM gives them."""

from __future__ import annotations

import base64
import hashlib


def unique_id(prefix: str, of: str, length: int = 21) -> str:
    """The prefix that tells what it is of, as ``AROA`` for a role, then letters and digits; the same at every call."""
    digest = base64.b32encode(hashlib.sha256(of.encode()).digest()).decode()
    return (prefix + digest)[:length]
