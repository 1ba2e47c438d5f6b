"""Lines that are alike are read fast, all others patiently, and nobody can tell which was which."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

VALUES = [
    3,
    -70,
    0.25,
    1.0,
    2.5e-9,
    1e22,
    10**30,
    None,
    True,
    False,
    "x",
    "5",
    "",
    "null",
    'say "so"',
    "naïve\n",
    "-0.50",
]


def record(random: random.Random, keys: list[str]) -> object:
    made: dict[str, object] = {key: random.choice(VALUES) for key in keys}
    match random.randrange(20):
        case 0:
            made["nested"] = {"list": [1, {"deep": 2.0}], "text": "y"}
        case 1:
            made.pop(random.choice(keys))
        case 2:
            return [made, made]
        case 3:
            return {}
    return made


def rows(batches: Iterable[Any]) -> list[tuple[str | None, ...]]:
    return [row for batch in batches for row in batch.frame.rows()]


def alike(one: str | None, other: str | None) -> bool:
    """The same text, or the same number of the same type."""
    if one == other or one is None or other is None:
        return one == other
    return float(one) == float(other) and ("." in one) == ("." in other)


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_of_reading_give_the_same_records_in_the_same_order(monitor: Any, seed: int) -> None:
    patient, fast = (
        importlib.import_module(f"model_monitor.{name}") for name in ("json_files", "json_lines")
    )
    source = random.Random(seed)
    keys = [f"key {index}" for index in range(source.randrange(1, 6))] + ["ключ"] * (seed % 2)
    separators = source.choice([(",", ":"), (", ", ": "), (" , ", " : ")])
    lines = [
        json.dumps(record(source, keys), separators=separators, ensure_ascii=seed % 3 == 0)
        for _ in range(400)
    ]
    path = monitor.write("data.jsonl", source.choice(["\n", "\r\n", "\n\n"]).join(lines))
    names = sorted({*keys, "nested_list_0", "nested_list_1_deep", "nested_text"})

    slow = rows(patient.dataset([path], lambda file: patient.lines(file, as_text=True)).read(names))
    quick = rows(fast.dataset([path]).read(names))

    assert len(slow) == len(quick) > 380
    for expected, found in zip(slow, quick, strict=True):
        assert all(map(alike, expected, found)), (expected, found)


def test_lines_of_many_shapes_are_all_read(monitor: Any) -> None:
    monitor.json_lines([{f"k{index % 30}": index, "x": index} for index in range(3000)])

    features = monitor.run({"json": {"lines": True}})["statistics"]["features"]

    assert len(features) == 31
    assert {feature["numerical_statistics"]["common"]["num_present"] for feature in features} == {100, 3000}


def test_a_key_that_comes_late_is_a_column(monitor: Any) -> None:
    monitor.json_lines([*[{"x": index} for index in range(150_000)], {"x": 1, "late": "y"}])

    late, _ = monitor.run({"json": {"lines": True}})["statistics"]["features"]

    assert late["name"] == "late"
    assert late["string_statistics"]["common"] == {"num_present": 1, "num_missing": 150_000}
