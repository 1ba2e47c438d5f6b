"""Which events a pattern wants, by the examples of EventBridge's user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagelocal.cloud.eventbridge.pattern import PatternError, parse_pattern
from sagelocal.values import JsonObject

EVENT: JsonObject = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "resources": ["arn:aws:ec2:us-east-1:1:instance/i-1", "arn:aws:ec2:us-east-1:1:instance/i-2"],
    "time": "2017-10-02T18:43:48Z",
    "detail": {
        "instance-id": "i-abcd1111",
        "state": "running",
        "c-count": 5,
        "d-count": 9.5,
        "x-limit": 301.8,
        "ok": True,
        "nothing": None,
        "empty": "",
        "ip": "10.0.0.7",
        "path": "dir/lib/image.PNG",
        "users": [{"name": "a", "age": 30}, {"name": "b", "age": 40}],
        "tags": ["x", "y"],
        "none": [],
    },
}

MATCHES: list[tuple[Any, bool]] = [
    ({"source": ["aws.ec2"]}, True),
    ({"source": ["aws.s3", "aws.ec2"]}, True),
    ({"source": ["aws.s3"]}, False),
    ({"source": ["aws.ec2"], "detail": {"state": ["stopped"]}}, False),
    ({"detail": {"state": ["running"], "c-count": [5]}}, True),
    ({"detail": {"c-count": [5.0]}}, True),
    ({"detail": {"ok": [True]}}, True),
    ({"detail": {"ok": [1]}}, False),
    ({"detail": {"nothing": [None]}}, True),
    ({"detail": {"missing": [None]}}, False),
    ({"detail": {"empty": [""]}}, True),
    ({"resources": ["arn:aws:ec2:us-east-1:1:instance/i-2"]}, True),
    ({"detail": {"tags": ["y", "z"]}}, True),
    ({"time": [{"prefix": "2017-10-02"}]}, True),
    ({"time": [{"prefix": "2018"}]}, False),
    ({"detail": {"path": [{"suffix": ".PNG"}]}}, True),
    ({"detail": {"path": [{"suffix": ".png"}]}}, False),
    ({"detail": {"path": [{"suffix": {"equals-ignore-case": ".png"}}]}}, True),
    ({"detail": {"path": [{"prefix": {"equals-ignore-case": "DIR/"}}]}}, True),
    ({"detail": {"state": [{"equals-ignore-case": "RUNNING"}]}}, True),
    ({"detail": {"state": [{"anything-but": "initializing"}]}}, True),
    ({"detail": {"state": [{"anything-but": ["stopped", "running"]}]}}, False),
    ({"detail": {"x-limit": [{"anything-but": [100, 200]}]}}, True),
    ({"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}, True),
    ({"detail": {"state": [{"anything-but": {"prefix": ["init", "run"]}}]}}, False),
    ({"detail": {"path": [{"anything-but": {"wildcard": "*/lib/*"}}]}}, False),
    ({"detail": {"missing": [{"anything-but": "x"}]}}, False),
    ({"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}]}}, True),
    ({"detail": {"c-count": [{"numeric": [">", 0, "<", 5]}]}}, False),
    ({"detail": {"d-count": [{"numeric": ["<", 10]}]}}, True),
    ({"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}]}}, True),
    ({"detail": {"state": [{"numeric": ["<", 10]}]}}, False),
    ({"detail": {"ok": [{"numeric": ["=", 1]}]}}, False),
    ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, True),
    ({"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}, False),
    ({"detail": {"state": [{"cidr": "10.0.0.0/24"}]}}, False),
    ({"detail": {"state": [{"exists": True}]}}, True),
    ({"detail": {"state": [{"exists": False}]}}, False),
    ({"detail": {"missing": [{"exists": False}]}}, True),
    ({"detail": {"missing": [{"exists": True}]}}, False),
    ({"detail": [{"exists": True}]}, False),
    ({"detail": {"path": [{"wildcard": "dir/*/image.*"}]}}, True),
    ({"detail": {"path": [{"wildcard": "dir/*.jpg"}]}}, False),
    ({"detail": {"path": [{"wildcard": "dir\\*"}]}}, False),
    ({"detail": {"users": {"name": ["b"], "age": [40]}}}, True),
    ({"detail": {"users": {"name": ["a"], "age": [40]}}}, False),
    ({"detail": {"$or": [{"c-count": [9]}, {"d-count": [{"numeric": ["<", 10]}]}]}}, True),
    ({"detail": {"$or": [{"c-count": [9]}, {"state": ["stopped"]}]}}, False),
    ({"source": ["aws.ec2"], "$or": [{"source": ["x"]}, {"detail": {"state": ["running"]}}]}, True),
    ({"detail": {"state": ["stopped", {"prefix": "run"}]}}, True),
    ({"detail": {"state": {"deeper": ["x"]}}}, False),
]


@pytest.mark.parametrize(("pattern", "expected"), MATCHES, ids=lambda value: json.dumps(value)[:60])
def test_an_event_matches_or_does_not(pattern: Any, expected: bool) -> None:
    assert parse_pattern(json.dumps(pattern)).matches(EVENT) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"source": "aws.ec2"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays are not allowed"),
        ('{"source": [["a"]]}', "Match value must be String, number, true, false, or null"),
        ('{"source": [{"prefx": "a"}]}', "Unrecognized match type prefx"),
        ('{"source": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key allowed in match expression"),
        ('{"source": [{"exists": "yes"}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"numeric": [">", "5"]}]}', "Value of > must be numeric"),
        ('{"a": [{"numeric": ["~", 5]}]}', "Unrecognized numeric range operator: ~"),
        ('{"a": [{"numeric": [">"]}]}', "Value of numeric must be an array"),
        ('{"a": [{"cidr": "x"}]}', "Malformed CIDR"),
        ('{"a": [{"wildcard": "a**b"}]}', "Consecutive wildcard characters"),
        ('{"a": [{"anything-but": {"cidr": "x"}}]}', "Unsupported anything-but pattern: cidr"),
        ('{"a": [{"anything-but": [true]}]}', "Inside anything-but list"),
        ('{"$or": [{"a": ["x"]}]}', "at least 2 Objects"),
    ],
)
def test_a_pattern_that_eventbridge_refuses_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PatternError) as error:
        parse_pattern(text)

    assert reason in str(error.value)
