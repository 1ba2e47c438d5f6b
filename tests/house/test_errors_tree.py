"""The tree of errors says what it is."""

from __future__ import annotations

import re

import pytest

from sagelocal import errors
from sagelocal.errors import SagelocalError


def tree(root: type[SagelocalError]) -> set[type[SagelocalError]]:
    found = {root}
    for child in root.__subclasses__():
        found |= tree(child)
    return found


CLASSES = sorted(
    (each for each in tree(SagelocalError) if each.__module__ == errors.__name__),
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_an_error_stands_below_its_parent_in_the_docstring(error: type[SagelocalError]) -> None:
    lines = (errors.__doc__ or "").splitlines()
    drawn = {found.group(1): found.start(1) for line in lines if (found := re.search(r"(\w+Error)\b", line))}

    assert error.__name__ in drawn
    if error is not SagelocalError:
        parent = error.__mro__[1].__name__
        assert drawn[parent] < drawn[error.__name__]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_an_error_has_an_exit_code(error: type[SagelocalError]) -> None:
    assert error.exit_code in range(1, 6)


def test_only_the_root_stands_for_our_own_bugs() -> None:
    assert [error for error in CLASSES if error.exit_code == 5] == [SagelocalError]


def test_exit_codes_in_the_docstring_are_those_of_the_classes() -> None:
    said = re.findall(r"(\w+Error) .*\(exit code (\d)\)", errors.__doc__ or "")

    assert said
    for name, code in said:
        assert getattr(errors, name).exit_code == int(code)
