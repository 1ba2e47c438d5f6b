"""The model that is analysed, asked through its endpoint as its users would ask it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import polars as pl
from ml_contract import JobError

from clarify.answers import Answer, answers
from clarify.config import Predictor
from clarify.connection import Connection, Reply
from clarify.payloads import one_at_a_time, payload

if TYPE_CHECKING:
    Scores = np.ndarray[Any, np.dtype[np.float64]]

_PAYLOAD = 5 << 20  # bytes; an endpoint takes 6 MB (InvokeEndpoint: Body)
_ROWS = 5_000


class Model:
    """Asks for predictions, many rows at a time where the model takes them."""

    def __init__(self, predictor: Predictor) -> None:
        name = os.environ.get("SAGELOCAL_ENDPOINT_NAME") or predictor.endpoint
        if not name:
            raise JobError(
                "predictor: there is no endpoint to ask. A ClarifyCheck step with a ModelName brings one;"
                " elsewhere set predictor.endpoint_name"
            )
        self._predictor = predictor
        self._path = f"/endpoints/{quote(name)}/invocations"
        self._connection = Connection("sagemaker")
        self._rows = 1 if one_at_a_time(predictor) else _ROWS
        self._answered = False
        self.requests = 0

    def answers(self, rows: pl.DataFrame) -> list[Answer]:
        """The predictions for all rows, in their order.

        Raises:
            JobError: the model cannot be reached, fails, or answers what the configuration does not expect.
        """
        found: list[Answer] = []
        while len(found) < rows.height:
            found += self._some(rows[len(found) : len(found) + self._rows])
        return found

    def scores(self, rows: pl.DataFrame) -> Scores:
        """The scores for all rows: one row each, with a column for each output of the model.

        Raises:
            JobError: as above, or an answer has no scores, or more of them than others.
        """
        found = [answer.scores for answer in self.answers(rows)]
        missing = next((i for i, scores in enumerate(found) if not scores), None)
        if missing is not None:
            raise JobError(
                "predictor.probability is missing: nothing says where the model's answer has its scores"
            )
        widths = {len(scores) for scores in found if scores}
        if len(widths) > 1:
            raise JobError(
                f"The model answers {min(widths)} scores for some records and {max(widths)} for others"
            )
        return np.array(found, dtype=float)

    def _some(self, rows: pl.DataFrame) -> list[Answer]:
        """As many of the rows as one request takes: a model that only takes single records gets single records."""
        body = payload(self._predictor, rows)
        if len(body) > _PAYLOAD and rows.height > 1:
            return self._some(rows[: rows.height // 2])
        self.requests += 1
        reply = self._connection.request("POST", self._path, body, self._headers())
        try:
            found = self._read(reply, rows.height)
        except JobError as error:
            if self._answered or rows.height == 1:
                raise
            return self._one(rows, error)
        self._answered = True
        return found

    def _one(self, rows: pl.DataFrame, error: JobError) -> list[Answer]:
        """The first record alone, as the model does not take several; `error` is what it said to them."""
        print(
            f"note: the model does not take {rows.height} records at once ({error}); trying one", flush=True
        )
        self._rows = 1
        try:
            return self._some(rows[:1])
        except JobError as alone:
            raise JobError(
                str(error) if str(alone) == str(error) else f"{error}; and to one: {alone}"
            ) from None

    def _read(self, reply: Reply, records: int) -> list[Answer]:
        if reply.status != 200:
            raise JobError(f"The model answered {reply.status}: {_said(reply)}")
        return answers(self._predictor, reply.body, reply.content_type, records)

    def _headers(self) -> Mapping[str, str]:
        attributes = self._predictor.custom_attributes
        return {
            "Content-Type": self._predictor.content_type,
            "Accept": self._predictor.accept_type,
            **({"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}),
        }

    def close(self) -> None:
        self._connection.close()


def _said(reply: Reply) -> str:
    """The model's own text: the endpoint wraps it (InvokeEndpoint: ModelError.OriginalMessage)."""
    text = reply.body.decode("utf-8", "replace").strip()
    return next(_texts(text), text)[:1000] or "nothing"


def _texts(text: str) -> Iterator[str]:
    try:
        content = json.loads(text)
    except ValueError:
        return
    if isinstance(content, dict):
        yield from (
            str(content[key]) for key in ("OriginalMessage", "Message", "message") if content.get(key)
        )
