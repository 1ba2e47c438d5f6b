"""Runs AWS's own runtime client; this file is the first thing that a function's interpreter executes."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_engine() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _main() -> None:
    _die_with_engine()
    # The function's code comes first, as on Lambda; this file's own folder is no concern of the function.
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    borrowed = os.environ.pop("SAGELOCAL_RUNTIME_CLIENT", "")
    if borrowed:
        sys.path.append(borrowed)
    from awslambdaric.__main__ import main  # noqa: PLC0415 - only importable from here on

    main(["awslambdaric", os.environ["_HANDLER"]])


if __name__ == "__main__":
    _main()
