"""XGBoost without scikit-learn, whose import takes three times as long and serves only an interface that we do not use."""

from __future__ import annotations

import sys
from typing import Any, cast

_modules = cast("dict[str, Any]", sys.modules)
_hidden = "sklearn" not in _modules
if _hidden:
    _modules["sklearn"] = None  # Python's sign for "there is none"

try:
    import xgboost
finally:
    if _hidden:
        del _modules["sklearn"]  # whoever needs it later finds it

__all__ = ["xgboost"]
