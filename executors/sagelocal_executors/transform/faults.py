"""What keeps one input object from being transformed."""

from __future__ import annotations

NO_ANSWER = "InternalServerError"


class FileError(Exception):
    """One input object fails, the others go on; raised where it is noticed, caught where the object is transformed.

    Attributes:
        error: whose fault it is: ``ClientError`` (the data's), ``AlgorithmError`` (the model's), or `NO_ANSWER`.
        message: the model's own words; empty when it said none.
    """

    def __init__(self, text: str, error: str = "ClientError", message: str = "") -> None:
        self.error = error
        self.message = message
        super().__init__(text)


class RecordError(Exception):
    """One record cannot be read, filtered or joined."""
