"""The serving half of AWS's framework images: a loaded model behind HTTP (semantics 08 §8.3)."""

from __future__ import annotations

import signal
from typing import NoReturn

from ml_contract import MODEL, JobError

from serving import server
from serving.exchange import Model
from serving.loading import code_folder, find_script, listed
from serving.worker import Worker


def serve(family: str) -> int:
    """Load the model, then answer until SIGTERM; what is under way then is finished first.

    Returns:
        0, as a container that was told to end.

    Raises:
        JobError: there is nothing to serve, or the model cannot be loaded.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    listener = server.listener()
    try:
        model = load(family)
    except _Leave:
        return 0  # nothing was promised to anybody yet
    worker = Worker()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    serving = server.Server(listener, model, worker)
    serving.start()
    print(f"Serving on port {listener.getsockname()[1]}", flush=True)
    worker.run()
    serving.finish()
    return 0


def load(family: str) -> Model:
    """The author's script when there is one, as the images decide it; else the algorithm that the image brings."""
    folder = code_folder()
    script = find_script(folder)
    if script:
        from serving import script_model  # the algorithm needs none of it

        return script_model.load(family, script)
    if family == "xgboost":
        from serving import xgboost_model  # needs packages that the other families lack

        return xgboost_model.load()
    raise JobError(
        "nothing to serve the model with: SAGEMAKER_PROGRAM names no script, and there is no inference.py in"
        f" {folder}. Put code/inference.py with model_fn(model_dir), and where it takes more than that input_fn,"
        f" predict_fn and output_fn, into model.tar.gz; it has: {listed(MODEL)}. (The SDK does so for a model with an"
        " entry_point.) An image that brings a server of its own has to run itself, in the docker runtime; one that is"
        ' XGBoost\'s under another name is told in sagelocal.toml: [images] "<pattern of the ImageUri>" ='
        ' { family = "xgboost" }'
    )


class _Leave(BaseException):
    """The platform wants the container to end; no author's code is expected to hold it up."""


def _leave(_number: int, _frame: object) -> NoReturn:
    raise _Leave
