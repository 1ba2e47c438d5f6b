"""What Ctrl-C does while an engine runs, and whatever else asks a program to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

Act = Callable[[int], None]
"""Is told the number of the signal."""


def _known(*names: str) -> frozenset[int]:
    """The numbers of those that this system has."""
    return frozenset(getattr(signal, name) for name in names if hasattr(signal, name))


ENDING = _known("SIGINT", "SIGTERM")
"""The signals that ask a program to end: Ctrl-C, a supervisor."""
HANGUP = _known("SIGHUP")
"""The terminal is closed."""
QUIT = _known("SIGQUIT")
"""What a terminal sends at Ctrl-\\, with the same wish, to a program that does not hear Ctrl-C."""


@dataclass(slots=True)
class Interrupt:
    """What a signal does at the moment."""

    act: Act


@contextmanager
def interrupts(act: Act, numbers: frozenset[int] = ENDING) -> Iterator[Interrupt]:
    """Act on the event loop at each of these signals, at first by `act`."""
    loop, interrupt = asyncio.get_running_loop(), Interrupt(act)
    # Windows has no signal handlers in its loop: there Ctrl-C cancels the main task, and SIGTERM just ends us.
    with suppress(NotImplementedError):
        for number in numbers - {
            each for each in HANGUP if signal.getsignal(each) is signal.SIG_IGN
        }:  # nohup
            loop.add_signal_handler(number, _told, interrupt, number)
    try:
        yield interrupt
    finally:
        with suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)


def cancel_us() -> Act:
    """What to do as long as nothing is under way: give up."""
    task = asyncio.current_task()
    assert task

    def cancel(_: int) -> None:
        task.cancel()

    return cancel


def _told(interrupt: Interrupt, number: int) -> None:
    interrupt.act(number)
