"""What a script need not bring itself, family by family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving import codecs, tensors


@dataclass(frozen=True)
class Defaults:
    """The functions for a script without those of the same name; every script brings its model_fn."""

    input_fn: Callable[[Any, str], Any]
    predict_fn: Callable[[Any, Any], Any]
    output_fn: Callable[[Any, str], str | bytes]


def defaults(family: str) -> Defaults:
    """Those of the images of this family; of the inference toolkit for images that nobody knows."""
    return _FAMILIES.get(family, _generic)()


def _generic() -> Defaults:
    return Defaults(
        input_fn=lambda body, content_type: tensors.tensor(codecs.decode(body, content_type), content_type),
        predict_fn=_predict,
        output_fn=lambda prediction, accept: codecs.encode(tensors.plain(prediction), accept),
    )


def _predict(data: Any, model: Any) -> Any:
    if hasattr(model, "predict"):
        return model.predict(data)
    if callable(model):
        return tensors.computed(model, data)
    raise NotImplementedError(
        f"what model_fn has returned, {type(model).__name__}, neither predicts nor can be called: write a predict_fn(data, model)"
    )


def _sklearn() -> Defaults:
    return Defaults(codecs.decode_numbers, lambda data, model: model.predict(data), codecs.encode)


def _xgboost() -> Defaults:
    from serving import matrices  # needs packages that the other families lack

    return Defaults(
        matrices.decode,
        lambda data, model: model.predict(data, validate_features=False),
        codecs.encode,
    )


_FAMILIES: dict[str, Callable[[], Defaults]] = {"sklearn": _sklearn, "xgboost": _xgboost}
