"""Metric values on their way from a training job that prints them to the tuning job that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, float], None]


class Watch:
    """Passes on what training jobs print, to whoever watches them; used on the event loop alone."""

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}

    def tell(self, job: str, metric: str, value: float) -> None:
        """Say that the training job has printed this value of the metric."""
        if job in self._listeners:
            self._listeners[job](metric, value)

    @contextmanager
    def on(self, job: str, listener: Listener) -> Iterator[None]:
        """Call `listener` with each metric's name and value of the training job, as long as the context lasts."""
        self._listeners[job] = listener
        try:
            yield
        finally:
            del self._listeners[job]
