"""Which runtime plays a job."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.settings import ImageRule, Runtime, Settings, StepSettings
from sagelocal_executors.containers import ContainerSpec, ImageMissingError
from sagelocal_executors.containers.choice import AutoContainers
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.stub import StubContainers, Stubs

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PYTHON = f"python {sys.version_info.major}.{sys.version_info.minor}"
Make = Callable[..., AutoContainers]


@pytest.fixture(name="make")
def _make(tmp_path: Path) -> Make:
    def make(**options: Any) -> AutoContainers:
        settings = Settings(**options)
        return AutoContainers(
            settings,
            docker=lambda: DockerContainers(settings, tmp_path / "docker"),
            process=lambda: ProcessContainers(settings, tmp_path / "process"),
            stub=StubContainers(Stubs(), SystemClock()),
        )

    return make


@pytest.fixture(name="no_daemon")
def _no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")


async def _text(containers: AutoContainers, image: str, step: str = "Step") -> str:
    try:
        return (await containers.place(image, step)).text
    finally:
        await containers.close()


@pytest.mark.docker
async def test_docker_comes_first_when_the_image_is_there(make: Make) -> None:
    assert await _text(make(), "sagelocal-base:local") == "docker · sagelocal-base:local"


@pytest.mark.docker
async def test_an_image_that_docker_lacks_is_played_when_its_family_is_known(make: Make) -> None:
    assert await _text(make(), SKLEARN) == f"process · sklearn 1.2-1 · {PYTHON}"


@pytest.mark.docker
async def test_a_mapped_image_is_looked_for_under_its_other_name(make: Make) -> None:
    rule = {"*scikit-learn*": ImageRule(docker="sagelocal-base:local")}

    assert await _text(make(images=rule), SKLEARN) == "docker · sagelocal-base:local"


@pytest.mark.usefixtures("no_daemon")
async def test_without_docker_a_known_family_is_played(make: Make) -> None:
    assert await _text(make(), SKLEARN) == f"process · sklearn 1.2-1 · {PYTHON}"


@pytest.mark.usefixtures("no_daemon")
async def test_an_unknown_image_has_no_runtime_and_the_error_lists_the_ways_out(make: Make) -> None:
    with pytest.raises(ImageMissingError, match=r"docker pull mine:1(?s:.)*toml(?s:.)*does not answer"):
        await _text(make(), "mine:1")


@pytest.mark.usefixtures("no_daemon")
async def test_an_image_rule_makes_an_unknown_image_playable(make: Make) -> None:
    rule = {"mine:*": ImageRule(family="xgboost")}

    assert await _text(make(images=rule), "mine:1") == f"process · xgboost 1 · {PYTHON}"


@pytest.mark.usefixtures("no_daemon")
async def test_who_asks_for_the_process_runtime_gets_the_generic_toolkit(make: Make) -> None:
    expected = f"process · generic (unknown image mine:1) · {PYTHON}"

    assert await _text(make(runtime=Runtime.PROCESS), "mine:1") == expected


@pytest.mark.usefixtures("no_daemon")
async def test_a_step_has_its_own_runtime(make: Make) -> None:
    steps = {"Train": StepSettings(runtime=Runtime.STUB)}

    assert await _text(make(runtime=Runtime.DOCKER, steps=steps), SKLEARN, "Train") == "stub"


@pytest.mark.usefixtures("no_daemon")
async def test_what_is_missing_is_known_before_the_run(make: Make) -> None:
    containers = make()

    assert "docker pull mine:1" in (await containers.missing("mine:1", "Step") or "")
    assert await containers.missing(SKLEARN, "Step") is None
    await containers.close()


async def test_the_choice_is_announced_before_the_job_runs() -> None:
    told: list[object] = []
    spec = ContainerSpec("job", SKLEARN, step="Train")
    settings = Settings(runtime=Runtime.STUB)
    containers = AutoContainers(
        settings,
        docker=lambda: pytest.fail("no need for Docker"),
        process=lambda: pytest.fail("no need for a sandbox"),
        stub=StubContainers(Stubs(), SystemClock()),
        on_place=lambda spec, text: told.append((spec.step, text)),
    )

    await containers.run(spec, print)

    assert told == [("Train", "stub")]
