"""What serving scripts import from the packages of AWS's images, for interpreters that lack these."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

from serving import codecs


class Response:
    """As sagemaker_containers' worker.Response: what output_fn may return in the scikit-learn and XGBoost images."""

    def __init__(
        self,
        response: Any = None,
        accept: str | None = None,
        status: int = 200,
        headers: Any = None,  # noqa: ARG002  # the signature is AWS's
        mimetype: str | None = None,
    ) -> None:
        self.response = response
        self.status_code = int(status)
        self.mimetype = mimetype or accept or codecs.JSON

    def get_data(self) -> bytes:
        return self.response if isinstance(self.response, bytes) else str(self.response or "").encode()


class ClientError(Exception):
    pass


class BaseInferenceToolkitError(Exception):
    """Raised by a handler, it decides about the status of the answer."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        super().__init__(status_code, message, phrase)
        self.status_code = status_code
        self.message = message
        self.phrase = phrase


_CONTENT_TYPES = {
    "JSON": codecs.JSON,
    "CSV": codecs.CSV,
    "NPY": codecs.NPY,
    "OCTET_STREAM": "application/octet-stream",
    "ANY": "*/*",
    "UTF8_TYPES": list(codecs.TEXTS),
}
_ERRORS = {
    "ClientError": ClientError,
    "UnsupportedFormatError": codecs.UnsupportedFormatError,
    "BaseInferenceToolkitError": BaseInferenceToolkitError,
}
_MODULES: dict[str, dict[str, Any]] = {
    "sagemaker_inference": {},
    "sagemaker_inference.content_types": _CONTENT_TYPES,
    "sagemaker_inference.decoder": {"decode": codecs.decode},
    "sagemaker_inference.encoder": {"encode": codecs.encode},
    "sagemaker_inference.errors": _ERRORS,
    "sagemaker_containers": {},
    "sagemaker_containers.beta": {},
    "sagemaker_containers.beta.framework": {},
    "sagemaker_containers.beta.framework.content_types": _CONTENT_TYPES,
    "sagemaker_containers.beta.framework.encoders": {"decode": codecs.decode, "encode": codecs.encode},
    "sagemaker_containers.beta.framework.errors": _ERRORS,
    "sagemaker_containers.beta.framework.worker": {"Response": Response},
    # AWS's samples import these, too, and use nothing of them
    "sagemaker_containers.beta.framework.env": {},
    "sagemaker_containers.beta.framework.modules": {},
    "sagemaker_containers.beta.framework.server": {},
    "sagemaker_containers.beta.framework.transformer": {},
}


def provide(family: str) -> None:
    """Make them importable, as far as an image of this family has them; a package that is installed stays what it is."""
    modules = {**_MODULES, **_of_xgboost()} if family == "xgboost" else _MODULES
    absent = {name for name in modules if "." not in name and importlib.util.find_spec(name) is None}
    for name, content in modules.items():
        if name.partition(".")[0] in absent:
            _add(name, content)


def _of_xgboost() -> dict[str, dict[str, Any]]:
    from serving import matrices  # needs packages that the other families lack

    functions = {
        "decode": matrices.decode,
        "csv_to_dmatrix": lambda string_like, dtype=None: matrices.decode(string_like, "text/csv"),  # noqa: ARG005  # the signature is AWS's
        "libsvm_to_dmatrix": lambda string_like: matrices.decode(string_like, "text/libsvm"),
    }
    return {"sagemaker_xgboost_container": {}, "sagemaker_xgboost_container.encoder": functions}


def _add(name: str, content: dict[str, Any]) -> None:
    module = ModuleType(name, "Stands in for what the image has.")
    module.__dict__.update(content, __path__=[])
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
