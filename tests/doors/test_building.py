"""Pipelines that the author's Python builds, in a process of its own, against an endpoint of ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sagelocal.errors import MachineError, UsageError
from sagelocal.sdk.building import build, interpreter
from sagelocal.settings import Settings
from sagelocal.source import Code, Source, find

_EMPTY = '{"Version": "2020-12-01", "Steps": []}'
_BUILDS = f"""
class Pipeline:
    def __init__(self, name="Wine_Quality"):
        self.name = name
    def definition(self):
        return {_EMPTY!r}
"""


@pytest.fixture(name="home")
def _home(folder: Path) -> Settings:
    return Settings(home=folder / "state", region="eu-west-1")


async def built(source: str, settings: Settings) -> Source:
    found = find(source)
    assert isinstance(found, Code)
    return await build(found, settings)


async def test_python_gives_its_pipeline_without_a_word_on_standard_output(
    folder: Path, home: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import os\nprint('building')\nos.system('echo from a child')\npipeline = Pipeline()\n"
    (folder / "build_wine.py").write_text(_BUILDS + code)
    source = await built("build_wine.py", home)
    assert (source.name, source.text, source.folder) == ("Wine-Quality", _EMPTY, folder)
    out, err = capfd.readouterr()
    assert (out, sorted(err.split("\n"))) == ("", ["", "building", "from a child"])


@pytest.mark.parametrize(
    "source", ["build_red.py", "build_red.py:get_pipeline", "build_red:get_pipeline", "build_red:red"]
)
async def test_python_may_name_a_function_or_an_object(folder: Path, home: Settings, source: str) -> None:
    code = "def get_pipeline():\n    return Pipeline()\nred = Pipeline()\nwhite = Pipeline('White')\n"
    (folder / "build_red.py").write_text(_BUILDS + code)
    assert (await built(source, home)).name == "Wine-Quality"


async def test_the_only_pipeline_needs_no_name(folder: Path, home: Settings) -> None:
    (folder / "build.py").write_text(_BUILDS + "red = Pipeline('Red')\nalias = red\n")
    assert (await built("build.py", home)).name == "Red"


async def test_a_function_is_given_the_region_that_templates_ask_for(folder: Path, home: Settings) -> None:
    code = "def get_pipeline(region, role=None):\n    return Pipeline('in ' + region)\n"
    (folder / "build.py").write_text(_BUILDS + code)
    assert (await built("build.py", home)).name == "in-eu-west-1"


async def test_a_module_in_a_package_imports_its_neighbours(folder: Path, home: Settings) -> None:
    (folder / "wines").mkdir()
    (folder / "wines" / "shapes.py").write_text(_BUILDS)
    (folder / "wines" / "red.py").write_text("from wines.shapes import Pipeline\npipeline = Pipeline()\n")
    assert (await built("wines.red", home)).folder == folder / "wines"
    assert (await built("wines/red.py", home)).folder == folder / "wines"


async def test_modules_named_like_ours_are_the_authors(folder: Path, home: Settings) -> None:
    (folder / "environment.py").write_text("WINE = 'red'\n")
    (folder / "build.py").write_text(_BUILDS + "import environment\npipeline = Pipeline(environment.WINE)\n")
    assert (await built("build.py", home)).name == "red"
    assert not (folder / "__pycache__" / "build.cpython-311.pyc").exists()


@pytest.mark.parametrize(
    ("code", "source", "told"),
    [
        ("pipelines = []\n", "b.py", r"b\.py: has no pipeline: neither an object"),
        (
            _BUILDS + "red, white = Pipeline(), Pipeline()\n",
            "b.py",
            r"several pipelines: red, white: name one, as in b\.py:red",
        ),
        (_BUILDS + "red_wine = Pipeline()\n", "b.py:red_wien", r"no 'red_wien' \(did you mean red_wine\?\)"),
        ("pipeline = 3\n", "b.py", r"gives int, not a pipeline: it has no definition\(\)"),
        (
            "class P:\n    def definition(self): return {}\npipeline = P()\n",
            "b.py",
            r"definition\(\) gives dict, not the text",
        ),
        ("def get_pipeline(role): ...\n", "b.py", r"needs arguments \(role\)"),
        ("raise SystemExit('usage: …')\n", "b.py", "SystemExit: usage"),
        ("pipeline = (\n", "b.py", "SyntaxError: '\\(' was never closed"),
        ("import pandas_of_tests\n", "b.py", "No module named 'pandas_of_tests'"),
        ("import os\nos._exit(3)\n", "b.py", "ended .* with exit code 3"),
        ("", "nowhere.at.all", "neither a file nor a Python module"),
    ],
)
async def test_python_that_gives_no_pipeline_is_told_why(
    folder: Path, home: Settings, code: str, source: str, told: str
) -> None:
    (folder / "b.py").write_text(code)
    with pytest.raises(UsageError, match=told):
        await built(source, home)


async def test_what_the_code_raises_is_told_with_the_authors_own_frames(folder: Path, home: Settings) -> None:
    (folder / "roles.py").write_text("import json\ndef role():\n    return json.loads('no role')\n")
    (folder / "b.py").write_text("import roles\ndef get_pipeline():\n    return roles.role()\n")
    with pytest.raises(UsageError) as caught:
        await built("b.py", home)
    first, *trace = str(caught.value).splitlines()
    assert first == "b.py: building the pipeline failed:"
    frames = [line.split('"')[1] for line in trace if line.startswith("  File")]
    assert frames == [str(folder / "b.py"), str(folder / "roles.py")], "neither ours nor the library's"
    assert trace[-1].startswith("json.decoder.JSONDecodeError: Expecting value")


async def test_a_missing_sdk_is_told_with_the_ways_out(
    folder: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    (folder / "b.py").write_text("import sagemaker.workflow_of_tests\n")
    with pytest.raises(
        MachineError, match=r"needs the SageMaker SDK, which .*python.* does not have"
    ) as caught:
        await built("b.py", home)
    assert caught.value.exit_code == 4


def test_the_interpreter_is_the_first_that_has_the_sdk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = folder / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    other = folder / "other"
    monkeypatch.setenv("VIRTUAL_ENV", str(folder / "env"))
    assert interpreter(Settings(python=other)) == python, "the configured one is not there"
    other.symlink_to(python)
    assert interpreter(Settings(python=other)) == other
    monkeypatch.delenv("VIRTUAL_ENV")
    assert interpreter(Settings()) == Path(sys.executable), "none has it"


_UPLOADS = """
import boto3
from botocore.config import Config

class Pipeline:
    name = "uploading"
    def definition(self):
        s3 = boto3.Session(profile_name="production").client("s3")
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key="train.py", Body=b"print('hello')")
        arn = boto3.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com").get_caller_identity()["Arn"]
        boto3.client("iam").get_role(RoleName=arn.split("/")[1])
        return '{"Version": "2020-12-01", "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "%s"}}]}' % arn

pipeline = Pipeline()
"""


async def test_what_the_code_uploads_lands_in_the_state_folder(
    folder: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (folder / "b.py").write_text(_UPLOADS)
    source = await built("b.py", home)
    assert (home.home / "s3" / "code" / "train.py").read_text() == "print('hello')"
    step = json.loads(source.text)["Steps"][0]
    assert step["Arguments"]["ErrorMessage"].startswith("arn:aws:sts::000000000000:assumed-role/")


@pytest.mark.parametrize("arguments", [("check",), ("check", "--format", "json"), ("graph",)])
def test_looking_leaves_nothing_behind(sagelocal: Any, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "b.py").write_text(_UPLOADS)
    before = sorted(folder.rglob("*"))
    said = sagelocal(arguments[0], "b.py", *arguments[1:])
    assert said.code == 0, said.err
    assert "End" in said.out or "1 step" in said.out or said.json["steps"] == 1
    assert sorted(folder.rglob("*")) == before


def test_a_run_finds_what_was_uploaded_while_building(sagelocal: Any, folder: Path) -> None:
    (folder / "b.py").write_text(_UPLOADS)
    said = sagelocal("run", "b.py", "--home", "kept", "--json")
    assert said.code == 1, "the pipeline ends with a Fail step"
    assert said.json["pipeline"] == "uploading"
    assert (folder / "kept" / "s3" / "code" / "train.py").exists()
    assert not (folder / ".sagelocal").exists()


def test_an_error_while_building_ends_the_command(sagelocal: Any, folder: Path) -> None:
    (folder / "b.py").write_text("1 / 0\n")
    said = sagelocal("run", "b.py")
    assert (said.code, said.out) == (2, "")
    assert "ZeroDivisionError: division by zero" in said.err
