"""How often each value occurs, as long as there are not too many different ones."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

LISTED = 120
"""Distinct values up to which a histogram is shown (Deequ: ColumnProfiler.DEFAULT_CARDINALITY_THRESHOLD)."""
COUNTED = 10_000
"""Distinct values up to which all are counted; beyond, only those that were asked for."""


class Histogram:
    """Counts of texts.

    Attributes:
        counts: by text. When there were too many, only those of the `wanted` texts.
        complete: whether `counts` has all there were.
    """

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self._wanted = pl.Series(sorted(set(wanted)), dtype=pl.String)
        self.counts: dict[str, int] = {}
        self.complete = True

    def add(self, values: pl.Series) -> None:
        if not self.complete:
            values = values.filter(values.is_in(self._wanted.implode()))
        counted = values.rename("value").value_counts(name="count")
        if self.complete and counted.height + len(self.counts) > COUNTED:
            self._keep_wanted()
            counted = counted.filter(counted["value"].is_in(self._wanted.implode()))
        for text, count in counted.rows():
            self.counts[text] = self.counts.get(text, 0) + count

    def _keep_wanted(self) -> None:
        self.complete = False
        wanted = set(self._wanted)
        self.counts = {text: count for text, count in self.counts.items() if text in wanted}

    def listed(self) -> dict[str, int]:
        """The commonest first; empty when there are too many to show."""
        if not self.complete or len(self.counts) > LISTED:
            return {}
        return dict(sorted(self.counts.items(), key=lambda item: (-item[1], item[0])))
