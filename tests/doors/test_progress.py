"""What a person sees while an execution runs."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from sagelocal.cli.progress import Board, Lines
from sagelocal.store.views import StepView

_TRAIN = StepView(
    name="Train",
    type="Training",
    status="Executing",
    started=1_000_000_000.0,
    ended=None,
    attempt=1,
    failure_reason=None,
    metadata={},
    arguments={},
    properties={},
    where="process · xgboost",
    display_name=None,
    description=None,
    outcome_of_condition=None,
)
_TRAINED = replace(_TRAIN, status="Succeeded", ended=1_000_000_184.0)


def board(*names: str, height: int = 40, width: int = 100) -> tuple[Board, Console]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    return Board(console, dict.fromkeys(names, "Training")), console


def drawn(shown: Board, console: Console) -> list[str]:
    with console.capture() as capture:
        console.print(shown.render())
    return [line.rstrip() for line in capture.get().splitlines()]


def lines() -> tuple[Lines, io.StringIO]:
    file = io.StringIO()
    return Lines(Console(file=file, width=40), 0.0), file


def test_every_step_of_the_plan_has_a_line_in_the_plans_order() -> None:
    shown, console = board("Prepare", "Train", "Register")
    shown.change(_TRAINED)
    prepare, train, register = drawn(shown, console)
    assert prepare.split() == ["·", "Prepare", "Training"]
    assert train.split() == ["✓", "Train", "Training", "3", "min", "04", "s", "process", "·", "xgboost"]
    assert register.split() == ["·", "Register", "Training"]


def test_a_running_step_shows_what_it_printed_last() -> None:
    shown, console = board("Train")
    shown.change(_TRAIN)
    shown.line("arn", "Train", "[sagelocal] staging data")
    shown.line("arn", "Train", "epoch 1 [bold]loss=0.5")
    (train,) = drawn(shown, console)
    assert train.endswith("min  epoch 1 [bold]loss=0.5")


def test_colours_and_progress_bars_of_a_job_stay_out_of_the_table() -> None:
    shown, console = board("Train")
    shown.change(_TRAIN)
    shown.line("arn", "Train", "\x1b[31m 10%\r\x1b[32m100%\n")
    (train,) = drawn(shown, console)
    assert train.endswith("min  100%")


def test_a_failed_step_shows_why() -> None:
    shown, console = board("Train")
    shown.change(replace(_TRAINED, status="Failed", failure_reason="AlgorithmError: no label\nexit code 1"))
    (train,) = drawn(shown, console)
    assert train.endswith("AlgorithmError: no label")


def test_a_low_terminal_shows_what_runs_and_counts_the_rest() -> None:
    shown, console = board(*(f"Step{number}" for number in range(500)), "Train", height=10)
    shown.change(_TRAIN)
    lines = drawn(shown, console)
    assert len(lines) <= 10
    assert any(line.startswith("▸  Train") for line in lines)
    assert "… and 495 steps more" in lines[-1]


def test_wide_characters_do_not_break_the_line() -> None:
    shown, console = board("Train", width=60)
    shown.change(_TRAIN)
    shown.line("arn", "Train", "学習中" * 40)
    (train,) = drawn(shown, console)
    assert train.endswith("…")


def test_without_a_terminal_each_change_is_one_plain_line_that_is_never_wrapped() -> None:
    shown, file = lines()
    for view in (replace(_TRAIN, status="Ready"), _TRAIN, _TRAIN, _TRAINED):
        shown.change(view)
    first, second = (line.partition(" s  ")[2] for line in file.getvalue().splitlines())
    assert first == "Train (Training) Executing · process · xgboost"
    assert second == "Train (Training) Succeeded · process · xgboost · 3 min 04 s"


def test_a_second_attempt_is_a_change() -> None:
    shown, file = lines()
    shown.change(_TRAIN)
    shown.change(replace(_TRAIN, attempt=2))
    assert "attempt 2" in file.getvalue().splitlines()[1]
