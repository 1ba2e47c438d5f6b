"""The packages that the author's requirements.txt asks for, installed for this job."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ml_contract import JobError


def install(requirements: Path) -> dict[str, str]:
    """Install what is missing; the variables by which the author's program finds it.

    Nothing is installed, and no network is needed, when the interpreter has all of it already. The images install into
    their environment, as AWS's do; a user's interpreter is left as it is, and a folder of the job's own is filled.

    Raises:
        JobError: pip is missing, or it failed; its last lines are in the text.
    """
    if importlib.util.find_spec("pip") is None:
        raise JobError(
            f"{requirements.name}: {sys.executable} has no pip to install it with: python -m ensurepip"
        )
    if _satisfied(requirements):
        return {}
    if os.environ.get("SAGELOCAL_PIP_TARGET") == "environment":
        _pip("install", "-r", str(requirements))
        return {}
    folder = tempfile.mkdtemp(prefix="packages-")
    _pip("install", "--target", folder, "-r", str(requirements))
    return {"PYTHONPATH": folder, "PATH": str(Path(folder) / "bin")}


def _satisfied(requirements: Path) -> bool:
    """Whether pip has nothing to do: it is asked with no place to get anything from."""
    sources = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
    environment = {key: value for key, value in os.environ.items() if key not in sources}
    environment["PIP_CONFIG_FILE"] = os.devnull
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--dry-run",
        "--quiet",
        "-r",
        str(requirements),
    ]
    answer = subprocess.run(
        command, env=environment, cwd=requirements.parent, capture_output=True, check=False
    )
    return answer.returncode == 0


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input"]
    print("$", " ".join(command), flush=True)
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(answer.stdout, end="", flush=True)
    if answer.returncode:
        last = "\n".join(line for line in answer.stdout.splitlines() if line.startswith("ERROR"))
        raise JobError(
            f"requirements.txt could not be installed: pip ended with {answer.returncode}\n{last}\n"
            "Without a network, install its packages into the interpreter or image that runs this job;"
            " then pip has nothing to fetch"
        )
