"""The configuration, read once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sagelocal.errors import UsageError
from sagelocal.settings import Runtime, Settings, configured_folder, load_settings


def written(folder: Path, text: str, name: str = "sagelocal.toml") -> Path:
    (folder / name).write_text(text)
    return folder


def test_without_a_file_the_defaults_hold_and_the_state_lies_where_the_user_works(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.home == Path.cwd() / ".sagelocal"
    assert settings.runtime is Runtime.AUTO


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, '[s3]\n"s3://bucket/a" = "data/a.csv"\n[images."*x*"]\npython = "v/bin/python"'), {}
    )
    assert settings.s3 == {"s3://bucket/a": tmp_path / "data/a.csv"}
    assert settings.image_rule("1.dkr.ecr/x:1").python == tmp_path / "v/bin/python"


def test_an_interpreter_that_is_a_link_stays_one(tmp_path: Path) -> None:
    """Resolving it would leave the virtual environment behind."""
    (tmp_path / "python").symlink_to(sys.executable)
    assert load_settings(written(tmp_path, 'python = "python"'), {}).python == tmp_path / "python"


def test_the_table_of_pyproject_counts_too(tmp_path: Path) -> None:
    assert (
        load_settings(
            written(tmp_path, '[tool.sagelocal]\nregion = "eu-west-1"', "pyproject.toml"), {}
        ).region
        == "eu-west-1"
    )


def test_the_environment_wins_over_the_file_and_an_option_over_both(tmp_path: Path) -> None:
    folder = written(tmp_path, 'home = "a"\nruntime = "stub"')
    assert load_settings(folder, {}).home == tmp_path / "a"
    assert load_settings(folder, {"SAGELOCAL_HOME": "b"}).home == Path.cwd() / "b"
    assert (
        load_settings(folder, {"SAGELOCAL_HOME": "b"}, home=tmp_path / "c", runtime=None).home
        == tmp_path / "c"
    )
    assert load_settings(folder, {}, runtime=None).runtime is Runtime.STUB


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("regoin = 'x'", r"sagelocal.toml: regoin: unknown setting \(did you mean region\?\)"),
        ("runtime = 'podman'", "runtime: Input should be"),
        ("account = '12'", "account: "),
        ("[s3]\n'bucket/a' = 'x'", "is not an S3 URI"),
        ("x = [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_settings(written(tmp_path, text), {})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.toml: cannot be read"):
        load_settings(tmp_path, {}, file=tmp_path / "none.toml")


def test_a_step_may_have_its_own_runtime() -> None:
    settings = Settings.model_validate({"runtime": "docker", "steps": {"Train": {"runtime": "process"}}})
    assert settings.runtime_of("Train") is Runtime.PROCESS
    assert settings.runtime_of("Other") is Runtime.DOCKER


def test_a_configuration_beside_the_source_counts_when_the_working_folder_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    assert configured_folder(beside) == here
    written(beside, '[tool.sagelocal]\nregion = "eu-west-1"', "pyproject.toml")
    assert configured_folder(beside) == beside
    written(here, "")
    assert configured_folder(beside) == here
