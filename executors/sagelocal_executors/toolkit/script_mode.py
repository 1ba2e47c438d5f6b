"""Script mode: the author's program, run as SageMaker's training toolkit runs it (semantics 08 §8.2)."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

import requirements_file
import submit_directory
import training_variables
from ml_contract import CODE, MODEL, OUTPUT_DATA, JobError, read_config

_PREFIX = "sagemaker_"
_OURS = {
    "program",
    "submit_directory",
    "container_log_level",
    "region",
    "job_name",
    "enable_cloudwatch_metrics",
    "s3_output",
}
_TUNING = "_tuning_objective_metric"  # a word between tuner and algorithm, never the program's business
_KEPT_LINES = 200


def read_hyperparameters() -> dict[str, Any]:
    """All hyperparameters, each decoded from JSON when it is JSON."""
    return {name: _decoded(value) for name, value in read_config("hyperparameters.json").items()}


def _decoded(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def program(parameters: dict[str, Any]) -> str:
    """The entry point's file name; empty when none is named."""
    return str(parameters.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM") or "")


def train(parameters: dict[str, Any]) -> int:
    """Bring the code, install what it requires, run it.

    Returns:
        0; anything else that the program ends with is raised as a JobError, with that code.
    """
    job = _job(parameters)
    submit_directory.bring_code(job.module_dir)
    requirements = CODE / "requirements.txt"
    # for Python programs only: the SDK repacks models by a shell script so that nothing is installed for that
    wanted = job.program.endswith(".py") and requirements.is_file()
    found = requirements_file.install(requirements) if wanted else {}
    for folder in (MODEL, OUTPUT_DATA):
        folder.mkdir(parents=True, exist_ok=True)
    command = _command(job)
    print("Invoking script with the following command:\n\n" + shlex.join(command) + "\n", flush=True)
    return _run(command, {**os.environ, **training_variables.variables(job), **_paths(found)})


def _job(parameters: dict[str, Any]) -> training_variables.Job:
    own = {
        name: value for name, value in parameters.items() if not name.startswith(_PREFIX) and name != _TUNING
    }
    theirs = {name: value for name, value in parameters.items() if name.startswith(_PREFIX)}
    source = theirs.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or CODE
    return training_variables.Job(
        hyperparameters=own,
        framework={name: value for name, value in theirs.items() if name[len(_PREFIX) :] not in _OURS},
        resources=read_config("resourceconfig.json"),
        channels=read_config("inputdataconfig.json"),
        program=program(parameters),
        module_dir=str(source),
        log_level=int(theirs.get("sagemaker_container_log_level") or 20),
        arguments=tuple(_arguments(own)),
    )


def _arguments(parameters: dict[str, Any]) -> list[str]:
    """``--name value`` in the order of the names, values written as the toolkit writes them: by ``str``, None as nothing."""
    words = []
    for name, value in sorted(parameters.items()):
        words += [f"--{name}" if len(name) > 1 else f"-{name}", _word(value)]
    return words


def _word(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)


def _command(job: training_variables.Job) -> list[str]:
    """A package's module, a Python file, or any program, by the toolkit's rules."""
    entry = CODE / job.program
    if (CODE / "setup.py").is_file():
        return [
            sys.executable,
            "-m",
            training_variables.module_name(job.program),
            *job.arguments,
        ]
    if not entry.is_file():
        there = ", ".join(
            sorted(str(path.relative_to(CODE)) for path in CODE.rglob("*") if path.is_file())[:20]
        )
        raise JobError(
            f"sagemaker_program: there is no {job.program!r} in the code folder; it has: {there or 'nothing'}"
        )
    if job.program.endswith(".py"):
        return [sys.executable, job.program, *job.arguments]
    entry.chmod(entry.stat().st_mode | 0o111)
    # by way of a shell, which also runs a script whose first line names no interpreter
    return ["/bin/sh", "-c", '"$0" "$@"', f"./{job.program}", *job.arguments]


def _paths(found: dict[str, str]) -> dict[str, str]:
    """PYTHONPATH and PATH with the code folder, and what pip has installed for the job, in front."""
    python = [str(CODE), found.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
    programs = [found.get("PATH"), str(Path(sys.executable).parent), os.environ.get("PATH")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, python)),
        "PATH": os.pathsep.join(filter(None, programs)),
    }


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run to the end; its stderr goes both to ours and, its last lines, into the failure."""
    process = subprocess.Popen(command, cwd=CODE, env=environment, stderr=subprocess.PIPE)
    # The container's first process must pass the platform's wish on: nobody else does.
    signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
    assert process.stderr is not None
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    copying = threading.Thread(target=_copy, args=(process.stderr, lines), daemon=True)
    copying.start()
    code = process.wait()
    copying.join(timeout=5)  # a grandchild may hold the pipe open; what it says no longer matters
    if code:
        code = code if code > 0 else 128 - code
        raise JobError(
            f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{_last_words(list(lines))}"\nCommand "{shlex.join(command)}"',
            code,
        )
    return 0


def _copy(source: IO[bytes], kept: deque[str]) -> None:
    for line in iter(source.readline, b""):
        text = line.decode("utf-8", errors="replace")
        sys.stderr.write(text)
        sys.stderr.flush()
        kept.append(text.rstrip("\n"))


def _last_words(lines: list[str]) -> str:
    """The exception's own lines when the program died of one, else its last lines on stderr."""
    starts = [
        number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")
    ]
    if starts:
        after = lines[starts[-1] + 1 :]
        end = next(
            (number for number, line in enumerate(after) if line and not line.startswith((" ", "\t"))), 0
        )
        return "\n".join(after[end : end + 10]).strip()
    return "\n".join([line for line in lines if line.strip()][-5:])
