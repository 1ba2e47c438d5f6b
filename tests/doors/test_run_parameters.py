"""Parameter values from the command line and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagelocal.cli.parameters import given
from sagelocal.errors import UsageError


def test_pairs_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"Days": 3, "Raw": "s3://raw/a"}')
    assert given(["Raw=s3://raw/b=c", "Empty="], file) == {"Days": 3, "Raw": "s3://raw/b=c", "Empty": ""}


def test_a_file_may_list_names_and_values_as_the_api_does(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('[{"Name": "Days", "Value": "3"}]')
    assert given([], file) == {"Days": "3"}


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["Days"], "-p Days: write -p Name=Value"),
        (["=3"], "-p =3: write -p Name=Value"),
        (["Days=3", "Days=4"], "-p Days=4: parameter Days is given twice"),
    ],
)
def test_a_pair_that_says_nothing_clear_is_refused(pairs: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        given(pairs, None)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3", r'write \{"Name": value'),
        ('[{"Name": "Days"}]', r'write \{"Name": value'),
        ('[{"Name": "A", "Value": 1}, {"Name": "A", "Value": 2}]', "parameter A is given twice"),
        ('{"A": [1]}', "parameter A must be a string, a number or a boolean"),
        ('{"A": }', r"is not JSON: Expecting value\n    1 \| "),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "values.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=told):
        given([], file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        given([], tmp_path / "values.json")
