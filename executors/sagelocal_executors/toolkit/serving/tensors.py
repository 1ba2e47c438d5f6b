"""Tensors in the place of arrays, for scripts that use PyTorch (source: AWS's sagemaker-pytorch-inference-toolkit)."""

from __future__ import annotations

import sys
from typing import Any

from serving.codecs import TEXTS
from serving.exchange import media_type


def tensor(value: Any, content_type: str) -> Any:
    """An array as a tensor, of 32-bit floats when it came as text, once the author's script has imported torch."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(value, "dtype"):
        return value
    made = torch.FloatTensor(value) if media_type(content_type) in TEXTS else torch.from_numpy(value)
    return made.to(_device(torch))


def computed(model: Any, value: Any) -> Any:
    """What a model that can be called makes of it; without gradients when it is PyTorch's."""
    torch = sys.modules.get("torch")
    if torch is None:
        return model(value)
    if hasattr(model, "eval"):
        model = model.to(_device(torch))
        model.eval()
    with torch.no_grad():
        return model(value)


def plain(value: Any) -> Any:
    """A tensor as lists; all else as it is."""
    return value.detach().cpu().numpy().tolist() if hasattr(value, "detach") else value


def _device(torch: Any) -> Any:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
