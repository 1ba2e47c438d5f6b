"""What AWS's framework images bring on top of the bare ``/opt/ml`` contract, played for one container.

Run by path, by the interpreter that plays the image: ``main.py FAMILY VERB [ARGUMENT…]``. FAMILY is ``sklearn``,
``xgboost``, ``generic``, ``model-monitor`` or ``clarify``; VERB is ``train``, ``serve`` or ``process``. Needs the standard library of Python 3.8, and
what the family needs; sagelocal itself need not be there.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable

import ml_contract
import script_mode
from ml_contract import JobError


def train(family: str, _arguments: list[str]) -> int:
    """Script mode when a program is named, as the images decide it; else the algorithm that the image brings."""
    parameters = script_mode.read_hyperparameters()
    if script_mode.program(parameters):
        return script_mode.train(parameters)
    if family == "xgboost":
        import xgboost_algorithm  # needs packages that the other families lack

        return xgboost_algorithm.train()
    raise JobError(
        "nothing to run: the hyperparameters name no sagemaker_program. The image family"
        f" {family!r} has no algorithm of its own; give the job a ContainerEntrypoint, or an estimator with an entry_point"
    )


def serve(family: str, _arguments: list[str]) -> int:
    import serving  # only models need it

    return serving.serve(family)


def process(family: str, arguments: list[str]) -> int:
    """What ``docker run IMAGE ARGUMENT…`` does: the image's own program where it has one, else the command."""
    if family in PROGRAMS and not arguments:
        program: Callable[[], int] = importlib.import_module(PROGRAMS[family]).main
        return program()
    if not arguments:
        raise JobError("nothing to run: the job has neither ContainerEntrypoint nor ContainerArguments", 127)
    if not shutil.which(arguments[0]):
        raise JobError(f"nothing to run: there is no program {arguments[0]!r}; set ContainerEntrypoint", 127)
    return os.execvp(arguments[0], arguments)


PROGRAMS = {"model-monitor": "model_monitor", "clarify": "clarify"}
"""The images with an entrypoint: the package whose ``main`` plays it."""
VERBS = {"train": train, "serve": serve, "process": process}


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[1] not in VERBS:
        print("usage: main.py FAMILY {train|serve|process} [ARGUMENT...]", file=sys.stderr)
        return 64  # EX_USAGE of sysexits
    try:
        return VERBS[arguments[1]](arguments[0], arguments[2:])
    except JobError as error:
        ml_contract.fail(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
