"""What AWS's framework images bring on top of the bare ``/opt/ml`` contract, played for one container.

Run by path, by the interpreter that plays the image: ``main.py FAMILY VERB [ARGUMENT…]``. FAMILY is ``sklearn``,
``xgboost`` or ``generic``; VERB is ``train``, ``serve`` or ``process``. Needs the standard library of Python 3.8, and
what the family needs; sagelocal itself need not be there.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

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


def serve(_family: str, _arguments: list[str]) -> int:
    raise JobError("sagelocal does not serve models yet: that comes with batch transform")


def process(_family: str, arguments: list[str]) -> NoReturn:
    """What ``docker run IMAGE ARGUMENT…`` does in an image without an entrypoint, as these have none: the command."""
    if not arguments:
        raise JobError("nothing to run: the job has neither ContainerEntrypoint nor ContainerArguments", 127)
    if not shutil.which(arguments[0]):
        raise JobError(f"nothing to run: there is no program {arguments[0]!r}; set ContainerEntrypoint", 127)
    os.execvp(arguments[0], arguments)


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
