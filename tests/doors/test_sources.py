"""Where a definition comes from."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from sagelocal.errors import DefinitionError, UsageError
from sagelocal.source import code_frame, load

_BUILDS = """
class Pipeline:
    name = "Wine_Quality"
    def definition(self):
        print("uploading code")
        return '{"Version": "2020-12-01", "Steps": []}'
"""


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports of the author's code end with the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_a_json_file_names_the_pipeline(write: Any, folder: Path) -> None:
    source = load(write(write.fail("Stop"), name="wine_quality v2.json"))
    assert (source.name, source.folder) == ("wine-quality-v2", folder)


def test_a_file_with_an_everyday_name_names_the_pipeline_after_its_folder(write: Any) -> None:
    assert load(write(write.fail("Stop"), name="wine/definition.json")).name == "wine"


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    assert load("-").text == "{}"


def test_a_missing_file_suggests_the_nearest_name(write: Any) -> None:
    write(write.fail("Stop"), name="pipeline.json")
    with pytest.raises(UsageError, match=r"pipelin\.json: no such file \(did you mean pipeline\.json\?\)"):
        load("pipelin.json")


def test_a_folder_is_no_definition(folder: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        load(str(folder))


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "x.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 7\)"):
        load("x.json")


def test_malformed_json_shows_the_line_with_a_caret(folder: Path) -> None:
    (folder / "x.json").write_text('{\n  "Version": "2020-12-01",\n  "Steps": [,]\n}\n')
    with pytest.raises(DefinitionError) as caught:
        load("x.json")
    first, *frame = caught.value.problems[0].message.splitlines()
    assert first == "x.json, line 3, column 13: is not JSON: Expecting value"
    assert frame == [
        '    2 |   "Version": "2020-12-01",',
        '    3 |   "Steps": [,]',
        f"      | {' ' * 12}^",
        "    4 | }",
    ]


def test_an_empty_file_is_called_empty(folder: Path) -> None:
    (folder / "x.json").write_text("\n")
    with pytest.raises(DefinitionError, match="is empty"):
        load("x.json")


def test_a_frame_of_a_minified_definition_shows_only_what_is_around_the_column() -> None:
    shown, caret = code_frame("a" * 5000 + "!" + "b" * 5000, 1, 5001).splitlines()
    assert len(shown) < 120
    assert shown[caret.index("^")] == "!"


def test_python_gives_its_pipeline_without_a_word_on_standard_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "build_wine.py").write_text(_BUILDS + "pipeline = Pipeline()\n")
    source = load("build_wine.py")
    assert (source.name, source.text) == ("Wine-Quality", '{"Version": "2020-12-01", "Steps": []}')
    assert capsys.readouterr() == ("", "uploading code\n")


@pytest.mark.parametrize(
    "source", ["build_red.py", "build_red.py:get_pipeline", "build_red:get_pipeline", "build_red:red"]
)
def test_python_may_name_a_function_or_an_object(folder: Path, source: str) -> None:
    (folder / "build_red.py").write_text(
        _BUILDS + "def get_pipeline():\n    return Pipeline()\nred = Pipeline()\n"
    )
    assert load(source).name == "Wine-Quality"


def test_a_python_module_in_a_package_imports_its_neighbours(folder: Path) -> None:
    (folder / "wines").mkdir()
    (folder / "wines" / "shapes.py").write_text(_BUILDS)
    (folder / "wines" / "red.py").write_text("from wines.shapes import Pipeline\npipeline = Pipeline()\n")
    assert load("wines.red").name == "Wine-Quality"


@pytest.mark.parametrize(
    ("code", "source", "told"),
    [
        ("pipelines = []\n", "built.py", "has neither a `pipeline` nor a function `get_pipeline`"),
        (_BUILDS + "red_wine = Pipeline()\n", "built.py", r"it has red_wine: add one as built\.py:red_wine"),
        (
            _BUILDS + "red_wine = Pipeline()\n",
            "built.py:red_wien",
            r"no 'red_wien' \(did you mean red_wine\?\)",
        ),
        ("pipeline = 3\n", "built.py", r"gives int, not a pipeline: it has no definition\(\)"),
        (
            "a = 1\nraise ValueError('no role')\n",
            "built.py",
            r"(?s)ValueError: no role\n.*built\.py:2: raise ValueError",
        ),
        ("raise SystemExit('usage: …')\n", "built.py", "SystemExit: usage"),
        ("pipeline = (\n", "built.py", "SyntaxError"),
        ("import sagemaker.workflow_of_tests\n", "built.py", "needs the SageMaker SDK"),
        ("import pandas_of_tests\n", "built.py", "No module named 'pandas_of_tests'"),
        ("def get_pipeline(role): ...\n", "built.py", "missing 1 required positional argument: 'role'"),
    ],
)
def test_python_that_gives_no_pipeline_is_told_why(folder: Path, code: str, source: str, told: str) -> None:
    (folder / "built.py").write_text(code)
    with pytest.raises(UsageError, match=told):
        load(source)


def test_python_that_calls_aws_is_told_how_to_do_without(folder: Path) -> None:
    code = "import botocore.exceptions\ndef get_pipeline():\n    raise botocore.exceptions.NoRegionError\n"
    (folder / "built.py").write_text(code)
    with pytest.raises(
        UsageError, match=r"building the pipeline calls AWS \(NoRegionError: You must specify a region"
    ):
        load("built.py")


@pytest.mark.parametrize("source", ["wine", "wine.red:white", "wine.py", "win/e.py:a", "what is this?"])
def test_a_source_that_is_nowhere_is_told_so(folder: Path, source: str) -> None:
    with pytest.raises(UsageError, match=r"no such file|neither a file nor a Python module"):
        load(source)
