"""The stub runtime: what it writes, says, and how long it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sagelocal.errors import UsageError
from sagelocal_executors.containers import Access, ContainerSpec, Exit, Limits, Mount
from sagelocal_executors.containers.stub import Stub, StubContainers, StubFailure, Stubs, load_stubs


class _Clock:
    """Time that passes by being slept."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def _training(ml: Path, **options: object) -> ContainerSpec:
    (ml / "model").mkdir(parents=True)
    return ContainerSpec("job", "image", step="Train", mounts=(Mount(ml, "/opt/ml"),), **options)  # type: ignore[arg-type]  # a test's shorthand


async def test_declared_files_are_written_and_logs_said(tmp_path: Path) -> None:
    stub = Stub(
        outputs={"model": {"a/b.json": {"x": 1}, "c.txt": "text"}, "/opt/ml/output/data": {"d": "e"}},
        logs=("hello",),
        metrics={"loss": 0.5},
    )
    lines: list[str] = []

    finished = await StubContainers(Stubs(steps={"Tr*": stub}), _Clock()).run(
        _training(tmp_path), lines.append
    )

    assert finished == Exit(0)
    assert json.loads((tmp_path / "model/a/b.json").read_text()) == {"x": 1}
    assert (tmp_path / "model/c.txt").read_text() == "text"
    assert (tmp_path / "output/data/d").read_text() == "e"
    assert lines == ["hello", "loss=0.5"]


async def test_a_step_without_a_stub_succeeds_with_placeholders(tmp_path: Path) -> None:
    assert await StubContainers(Stubs(), _Clock()).run(_training(tmp_path), print) == Exit(0)

    assert [path.name for path in (tmp_path / "model").iterdir()] == ["sagelocal-stub.txt"]


async def test_processing_outputs_are_known_by_their_names(tmp_path: Path) -> None:
    config, out = tmp_path / "config", tmp_path / "out"
    config.mkdir()
    out.mkdir()
    output = {"OutputName": "train", "S3Output": {"LocalPath": "/opt/ml/processing/train"}}
    described = {"ProcessingOutputConfig": {"Outputs": [output]}}
    (config / "processingjobconfig.json").write_text(json.dumps(described))
    mounts = (Mount(config, "/opt/ml/config", Access.READ), Mount(out, "/opt/ml/processing/train"))
    spec = ContainerSpec("job", "image", step="Prepare", mounts=mounts)

    stubs = Stubs(steps={"Prepare": Stub(outputs={"train": {"a.csv": "1,2"}})})
    await StubContainers(stubs, _Clock()).run(spec, print)

    assert (out / "a.csv").read_text() == "1,2"
    wrong = Stubs(steps={"Prepare": Stub(outputs={"trian": {"a.csv": ""}})})
    with pytest.raises(UsageError, match="did you mean 'train'"):
        await StubContainers(wrong, _Clock()).run(spec, print)


async def test_a_stub_fails_as_often_as_it_says(tmp_path: Path) -> None:
    stub = Stub(failure=StubFailure(reason="out of luck"), fail_times=1)
    containers = StubContainers(Stubs(steps={"Train": stub}), _Clock())

    assert await containers.run(_training(tmp_path / "1", attempt=1), print) == Exit(1)
    assert await containers.run(_training(tmp_path / "2", attempt=2), print) == Exit(0)
    assert (tmp_path / "1/output/failure").read_text() == "out of luck"


async def test_durations_pass_on_the_runs_clock_and_end_at_the_limit(tmp_path: Path) -> None:
    clock = _Clock()
    containers = StubContainers(Stubs(steps={"Train": Stub(duration=100)}), clock)

    assert await containers.run(_training(tmp_path / "1"), print) == Exit(0)
    limited = _training(tmp_path / "2", limits=Limits(seconds=60))
    assert await containers.run(limited, print) == Exit(143, timed_out=True)
    assert clock.now() == 160


async def test_a_stub_cannot_write_outside_its_output(tmp_path: Path) -> None:
    stubs = Stubs(steps={"Train": Stub(outputs={"model": {"../../x": ""}})})

    with pytest.raises(UsageError, match=r"\.\."):
        await StubContainers(stubs, _Clock()).run(_training(tmp_path / "ml"), print)


def test_the_exact_name_goes_before_patterns() -> None:
    stubs = Stubs(steps={"*": Stub(exit_code=1), "A": Stub(exit_code=2)})

    assert [stubs.of(step).exit_code for step in ("A", "B")] == [2, 1]


@pytest.mark.parametrize(
    ("name", "text"),
    [("s.json", '{"steps": {"A": {"exit_code": 3}}}'), ("s.yaml", "steps:\n  A: {exit_code: 3}\n")],
)
def test_stub_files_are_json_or_yaml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert load_stubs(tmp_path / name).of("A").exit_code == 3


def test_an_unknown_key_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"steps": {"A": {"exit_cod": 3}}}')

    with pytest.raises(
        UsageError, match=r"s\.json: steps\.A\.exit_cod: unknown key \(did you mean 'exit_code'\?\)"
    ):
        load_stubs(tmp_path / "s.json")
