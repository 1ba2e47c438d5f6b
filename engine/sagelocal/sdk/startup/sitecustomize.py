"""Keeps the botocore of a program that sagelocal starts on this machine, also where the program names AWS itself.

Python imports a module of this name when it starts, from the folders of PYTHONPATH. Two things get past the environment's
AWS_ENDPOINT_URL: a client with a URL of its own, as the SageMaker SDK makes one for STS (`sts_regional_endpoint`), and a
profile that the program asks for by name, which would be one of the user's. Nothing of ours, and little of Python's library,
as every start of Python pays for it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATCHED = "botocore.session"
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class _Finder:
    """Patches the module once it has been loaded, by whoever would have loaded it without us."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _PATCHED:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            spec = find_spec(name, path, target) if find_spec else None
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = _then_patched(spec.loader.exec_module)
                return spec
        return None


def _then_patched(execute: Any) -> Any:
    def execute_and_patch(module: Any) -> None:
        execute(module)
        _patch(module.Session)

    return execute_and_patch


def _patch(session: Any) -> None:
    create_client, set_config_variable = session.create_client, session.set_config_variable

    def create_local_client(self: Any, *arguments: Any, **options: Any) -> Any:
        if os.environ.get("AWS_ENDPOINT_URL") and _is_of_aws(options.get("endpoint_url")):
            options["endpoint_url"] = None
        return create_client(self, *arguments, **options)

    def set_all_but_profile(self: Any, logical_name: str, value: Any) -> None:
        if logical_name != "profile":
            set_config_variable(self, logical_name, value)

    session.create_client, session.set_config_variable = create_local_client, set_all_but_profile


def _is_of_aws(url: str | None) -> bool:
    host = (url or "").partition("://")[2].partition("/")[0].partition(":")[0]
    return host.endswith(_AWS)


def _let_others_start() -> None:
    """Import the module that we have come before; it is somebody's, too."""
    others = [path for path in sys.path if f"{path}{os.sep}sitecustomize.py" != __file__]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(sys.modules["sitecustomize"])


sys.meta_path.insert(0, _Finder())
_let_others_start()
