"""Where a definition comes from."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from sagelocal.errors import DefinitionError, UsageError
from sagelocal.source import Code, Source, code_frame, find


def test_a_json_file_names_the_pipeline(write: Any, folder: Path) -> None:
    source = find(write(write.fail("Stop"), name="wine_quality v2.json"))
    assert isinstance(source, Source)
    assert (source.name, source.folder) == ("wine-quality-v2", folder)


def test_a_file_with_an_everyday_name_names_the_pipeline_after_its_folder(write: Any) -> None:
    source = find(write(write.fail("Stop"), name="wine/definition.json"))
    assert isinstance(source, Source)
    assert source.name == "wine"


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    source = find("-")
    assert isinstance(source, Source)
    assert source.text == "{}"


def test_a_missing_file_suggests_the_nearest_name(write: Any) -> None:
    write(write.fail("Stop"), name="pipeline.json")
    with pytest.raises(UsageError, match=r"pipelin\.json: no such file \(did you mean pipeline\.json\?\)"):
        find("pipelin.json")


def test_a_folder_is_no_definition(folder: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        find(str(folder))


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "x.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 7\)"):
        find("x.json")


def test_malformed_json_shows_the_line_with_a_caret(folder: Path) -> None:
    (folder / "x.json").write_text('{\n  "Version": "2020-12-01",\n  "Steps": [,]\n}\n')
    with pytest.raises(DefinitionError) as caught:
        find("x.json")
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
        find("x.json")


def test_a_frame_of_a_minified_definition_shows_only_what_is_around_the_column() -> None:
    shown, caret = code_frame("a" * 5000 + "!" + "b" * 5000, 1, 5001).splitlines()
    assert len(shown) < 120
    assert shown[caret.index("^")] == "!"


def test_python_is_found_with_its_folder_and_not_run(folder: Path) -> None:
    (folder / "red").mkdir()
    (folder / "red" / "build.py").write_text("raise SystemExit")
    assert find("red/build.py:make") == Code("red/build.py", "make", folder / "red")
    assert find("red.build:make") == Code("red.build", "make", folder / "red")
    assert find("red.build:make").label == "red.build:make"


@pytest.mark.parametrize("source", ["wine.py", "win/e.py:a", "what is this?", "wine.json"])
def test_a_source_that_is_nowhere_is_told_so(folder: Path, source: str) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find(source)
