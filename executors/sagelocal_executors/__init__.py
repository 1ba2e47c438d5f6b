"""What runs each kind of step on this machine."""

from __future__ import annotations

from sagelocal_executors.assembly import Assembly, Parts, assemble
from sagelocal_executors.containers.stub import Stub, Stubs, load_stubs

__all__ = ["Assembly", "Parts", "Stub", "Stubs", "assemble", "load_stubs"]
