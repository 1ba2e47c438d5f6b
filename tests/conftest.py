"""When tests with Docker run, and that they leave nothing behind."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from docker import APIClient

from sagelocal.errors import MachineError
from sagelocal_executors.containers.docker_daemon import connect
from sagelocal_executors.containers.labels import JOB_LABEL

BASE_IMAGE = "sagelocal-base:local"
"""A small image with Python, built by the project's image recipes."""

_NOT_RUN = "Docker test not run: "
_PATIENCE_SECONDS = 10.0


@functools.cache
def _lacking() -> str:
    """What Docker tests lack here; empty when they can run."""
    try:
        with closing(connect()) as client:
            there = bool(client.images(BASE_IMAGE))
    except MachineError:
        return "the daemon does not answer"
    return "" if there else f"the image {BASE_IMAGE} is missing"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and _lacking():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_NOT_RUN}{_lacking()}; in CI it must run", pytrace=False)
        pytest.skip(_NOT_RUN + _lacking())


class _Docker:
    """What became of the session's Docker tests; sees their reports, from wherever they ran."""

    def __init__(self) -> None:
        self.begun = time.time()
        self.ran = False
        self.not_run = 0
        self.left: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "docker" not in report.keywords:
            return
        self.ran |= report.when == "call"
        self.not_run += report.when == "setup" and _NOT_RUN in str(report.longrepr)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.ran and not hasattr(session.config, "workerinput"):
            self.left = list(_left_behind(self.begun))
            if self.left:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.not_run:
            text = f"{self.not_run} Docker tests DID NOT RUN: {_lacking()}"
            terminalreporter.write_line(text, yellow=True, bold=True)
        for name in self.left:
            terminalreporter.write_line(f"LEFT BEHIND by this session: container {name}", red=True, bold=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Docker(), "sagelocal-docker-tests")


def _left_behind(begun: float) -> Iterator[str]:
    """Labelled containers made since `begun` that do not go away; those of a session beside this one do."""
    with closing(connect()) as client:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        found = {item["Id"] for item in _ours(client) if item["Created"] >= begun}
        while found and time.monotonic() < deadline:
            time.sleep(0.5)
            found &= {item["Id"] for item in _ours(client)}
        yield from (item["Names"][0] for item in _ours(client) if item["Id"] in found)


def _ours(client: APIClient) -> list[dict[str, Any]]:
    return list(client.containers(all=True, filters={"label": JOB_LABEL}))
