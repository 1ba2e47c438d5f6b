"""Which code a function's name or ARN leads to."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.functions import FunctionStore, name_of, unqualified
from sagelocal.database import open_database
from sagelocal.errors import UsageError
from sagelocal.names import Partition
from sagelocal.settings import FunctionRule, load_settings

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:my-fn"


def store(root: Path, **rules: FunctionRule | str) -> FunctionStore:
    partition = Partition("us-east-1", "000000000000")
    valid = {name: FunctionRule.model_validate(rule) for name, rule in rules.items()}
    return FunctionStore(Catalog(open_database(":memory:")), root / "functions", partition, valid)


def zipped(**files: str) -> bytes:
    return archive({name.replace("_py", ".py"): text for name, text in files.items()})


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("reference", "name", "plain"),
    [
        ("my-fn", "my-fn", "my-fn"),
        ("my-fn:3", "my-fn", "my-fn"),
        (ARN, "my-fn", ARN),
        (f"{ARN}:$LATEST", "my-fn", ARN),
        (f"{ARN}:prod", "my-fn", ARN),
        ("111122223333:function:my-fn", "my-fn", "111122223333:function:my-fn"),
        ("arn:aws:s3:::bucket", "", "arn:aws:s3:::bucket"),
        ("../up", "", "../up"),
    ],
)
def test_a_function_is_called_in_many_ways(reference: str, name: str, plain: str) -> None:
    assert (name_of(reference), unqualified(reference)) == (name, plain)


@pytest.mark.parametrize("reference", ["my-fn", ARN, f"{ARN}:prod", f"{ARN}:$LATEST"])
@pytest.mark.parametrize(
    "pattern", ["my-fn", "my-*", "*:function:my-fn", "arn:aws:lambda:*:*:function:my-fn"]
)
def test_the_configuration_names_functions_by_name_arn_or_pattern(
    tmp_path: Path, reference: str, pattern: str
) -> None:
    (tmp_path / "index.py").write_text("")

    found = store(tmp_path, **{pattern: f"{tmp_path}/index.py:main"}).find(reference)

    assert found is not None
    assert (found.folder, found.handler) == (tmp_path, "index.main")
    assert found.arn == (
        ARN if reference != "my-fn" else "arn:aws:lambda:us-east-1:000000000000:function:my-fn"
    )


def test_a_folder_and_a_zip_are_code_too(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "code.zip").write_bytes(zipped(app_py="x = 1"))
    functions = store(
        tmp_path,
        folder=FunctionRule(code=tmp_path / "folder", handler="a.b.main", memory=512, timeout=7),
        zip=f"{tmp_path}/code.zip:app.main",
    )

    folder, unzipped = functions.find("folder"), functions.find("zip")

    assert folder is not None
    assert (folder.handler, folder.memory, folder.timeout) == ("a.b.main", 512, 7)
    assert unzipped is not None
    assert unzipped.handler == "app.main"
    assert (unzipped.folder / "app.py").read_text() == "x = 1"


def test_an_edit_makes_another_revision(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("a")
    functions = store(tmp_path, f=f"{tmp_path}/index.py")
    before = functions.find("f")
    (tmp_path / "helper.py").write_text("b")

    after = functions.find("f")

    assert before is not None
    assert after is not None
    assert before.revision != after.revision


@pytest.mark.parametrize("code", ["nowhere.py", "data.txt"])
def test_code_that_cannot_be_run_is_told_with_its_path(tmp_path: Path, code: str) -> None:
    (tmp_path / "data.txt").write_text("x")

    with pytest.raises(UsageError, match=code):
        store(tmp_path, f=f"{tmp_path}/{code}").find("f")


def test_an_unknown_function_is_told_with_the_nearest_name_and_what_to_do(tmp_path: Path) -> None:
    functions = store(tmp_path, prepare="x.py")

    assert functions.find("prepair") is None
    text = functions.missing("arn:aws:lambda:us-east-1:000000000000:function:prepair")
    assert "did you mean prepare?" in text
    assert "[functions]" in text


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_a_zip_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        store(tmp_path).unpack("f", archive({"fine.py": "", name: ""}))

    assert list(tmp_path.rglob("*.py")) == []


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Could not unzip"):
        store(tmp_path).unpack("f", b"no zip")


def test_the_configuration_file_maps_functions_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "sagelocal.toml").write_text(
        "[functions]\n"
        '"my-fn" = "lambdas/index.py:main"\n'
        '"other-*" = {code = "other", handler = "a.b", python = "venv/bin/python", environment = {A = "1"}}\n'
        '"created" = {memory = 300}\n'
    )

    functions = load_settings(tmp_path, {}).functions

    assert functions["my-fn"] == FunctionRule(code=tmp_path / "lambdas" / "index.py", handler="main")
    assert functions["other-*"].python == tmp_path / "venv" / "bin" / "python"
    assert json.loads(functions["created"].model_dump_json())["code"] is None


def test_a_wrong_key_of_a_function_is_told_with_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "sagelocal.toml").write_text('[functions]\n"f" = {code = "x", handlr = "a.b"}\n')

    with pytest.raises(UsageError, match="did you mean handler"):
        load_settings(tmp_path, {})
