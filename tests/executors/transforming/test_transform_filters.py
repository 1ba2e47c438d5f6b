"""The JSONPath dialect of batch transform, by its documented table."""

from __future__ import annotations

from typing import Any

import pytest

from sagelocal_executors.transform import filters
from sagelocal_executors.transform.faults import RecordError
from sagelocal_executors.transform.filters import parse_filter
from sagelocal_executors.transform.formats import fields

PERSON: Any = {"id": 7, "features": [1, 2.5, "x"], "home": {"city": "Łódź", "zip": "00-001"}, "none": None}


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$", PERSON),
        ("$.id", 7),
        ("$.none", None),
        ("$['id']", 7),
        ("$.home.city", "Łódź"),
        ("$.features", [1, 2.5, "x"]),
        ("$.features[0]", 1),
        ("$.features[-1]", "x"),
        ("$.features[0,-1]", [1, "x"]),
        ("$.features[1:]", [2.5, "x"]),
        ("$['id','features']", {"id": 7, "features": [1, 2.5, "x"]}),
        ("$['features', 'id']", {"features": [1, 2.5, "x"], "id": 7}),
        ("$['id','SageMakerOutput']", {"id": 7}),
        ("$.home.*", ["Łódź", "00-001"]),
        ("$.home.['city','zip']", {"city": "Łódź", "zip": "00-001"}),
    ],
)
def test_paths_select_of_objects(path: str, selected: Any) -> None:
    assert parse_filter(path).select(PERSON) == selected


def test_a_path_of_many_passes_over_those_without_the_member() -> None:
    people: Any = [{"name": "a"}, {"age": 1}, {"name": "b"}]

    assert parse_filter("$[*].name").select(people) == ["a", "b"]
    assert parse_filter("$[0:2].name").select(people) == ["a"]


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("$", "a,b,c,d,e"),
        ("$[0]", "a"),
        ("$[-1]", "e"),
        ("$[1,3,-1]", "b,d,e"),
        ("$[ 0, -1 ]", "a,e"),
        ("$[1:]", "b,c,d,e"),
        ("$[:-1]", "a,b,c,d"),
        ("$[-2:]", "d,e"),
        ("$[3:100]", "d,e"),
        ("$[*]", "a,b,c,d,e"),
    ],
)
def test_paths_select_of_rows(path: str, row: str) -> None:
    assert parse_filter(path).select_fields([b"a", b"b", b"c", b"d", b"e"]) == row.encode().split(b",")


def test_the_end_of_a_slice_is_excluded_as_the_notes_recommend() -> None:
    row = [b"0", b"1", b"2", b"3", b"4", b"5"]

    assert filters.SLICE_END_INCLUDED is False
    assert parse_filter("$[1:4]").select_fields(row) == [b"1", b"2", b"3"]
    assert parse_filter("$[:5]").select_fields(row) == [b"0", b"1", b"2", b"3", b"4"]


def test_one_switch_makes_it_as_the_documentation_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    row = [b"0", b"1", b"2", b"3", b"4", b"5"]
    monkeypatch.setattr(filters, "SLICE_END_INCLUDED", True)
    parse_filter.cache_clear()

    second_to_fifth, all_of_them = parse_filter("$[1:4]"), parse_filter("$[1:-1]")
    parse_filter.cache_clear()

    assert second_to_fifth.select_fields(row) == [b"1", b"2", b"3", b"4"]
    assert all_of_them.select_fields(row) == row[1:]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("$.age", "there is no 'age'"),
        ("$.id.city", "there is no 'city'"),
        ("$['age','size']", "there is none of 'age', 'size'"),
        ("$.features[3]", "there is no element 3, as there are 3"),
        ("$.features[-4]", "there is no element -4, as there are 3"),
        ("$[0]", "it is no array"),
        ("$[1:]", "it is no array"),
        ("$.id.*", "it is neither an object nor an array"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_the_path(path: str, text: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_filter(path).select(PERSON)

    assert str(caught.value) == f"{path} selects nothing: {text}"


def test_an_index_beyond_the_row_is_an_error() -> None:
    with pytest.raises(RecordError, match="there is no element 5, as there are 2"):
        parse_filter("$[0,5]").select_fields([b"a", b"b"])


@pytest.mark.parametrize("path", ["$[0:2,246:]", "$[0,5:]", "$[5:,0]", "$.a[1,2:4]"])
def test_lists_of_ranges_are_refused_in_the_words_of_the_service(path: str) -> None:
    with pytest.raises(ValueError, match="only single range filters of format"):
        parse_filter(path)


def test_names_may_have_commas_and_colons() -> None:
    assert parse_filter("$['a:b','c,d']").select({"a:b": 1, "c,d": 2}) == {"a:b": 1, "c,d": 2}


@pytest.mark.parametrize("path", ["id", "$..id", "$[", "$.a[?(@.b)]", "$[0:4:2]", "$.", "features[0]", "$ $"])
def test_what_the_dialect_does_not_have_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="Invalid JsonPath"):
        parse_filter(path)


@pytest.mark.parametrize(
    ("path", "fits"),
    [("$", True), ("$[0]", True), ("$[1:]", True), ("$[*]", True), ("$.id", False), ("$['a','b']", False)],
)
def test_only_paths_by_position_fit_rows(path: str, fits: bool) -> None:
    assert parse_filter(path).fits_rows is fits


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"1,2,3", [b"1", b"2", b"3"]),
        (b"", [b""]),
        (b",", [b"", b""]),
        (b'"a,b",c', [b'"a,b"', b"c"]),
        (b'"say ""hi"", twice",2,', [b'"say ""hi"", twice"', b"2", b""]),
        (b'a "quoted" word,"",x', [b'a "quoted" word', b'""', b"x"]),
        ('"Łódź, PL",1'.encode(), ['"Łódź, PL"'.encode(), b"1"]),
    ],
)
def test_fields_keep_their_quotes(row: bytes, expected: list[bytes]) -> None:
    assert fields(row) == expected
    assert b",".join(fields(row)) == row


def test_an_open_quote_is_an_error_that_names_the_field() -> None:
    with pytest.raises(RecordError, match="the quote of field 2 is not closed"):
        fields(b'1,"a line that ends in the')
