"""A definition checked as CreatePipeline would."""

from __future__ import annotations

import json

import pytest

from sagelocal.check.whole import MAX_CHARACTERS, check_text
from sagelocal.definition import parse
from sagelocal.errors import DefinitionError

FAIL = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}
TRAIN = {"Name": "T", "Type": "Training", "Arguments": {"TrainingImage": "i"}, "DependsOn": ["Nobody"]}


def test_wiring_and_arguments_are_told_together() -> None:
    with pytest.raises(DefinitionError) as raised:
        check_text(json.dumps({"Steps": [TRAIN]}))
    told = str(raised.value)
    assert "Step Nobody is undefined" in told
    assert "Unknown Argument member 'TrainingImage'" in told


def test_more_than_a_mebi_of_characters_is_refused_though_it_can_be_read() -> None:
    text = json.dumps({"Steps": [FAIL]})
    assert check_text(text.ljust(MAX_CHARACTERS)).definition == parse(text)
    with pytest.raises(DefinitionError, match="1048577 characters, at most 1048576"):
        check_text(text.ljust(MAX_CHARACTERS + 1))
    assert len(parse(text.ljust(MAX_CHARACTERS + 1)).steps) == 1


def test_the_limit_counts_characters_not_bytes() -> None:
    definition = {"Metadata": {f"k{n}": "é" * 1000 for n in range(600)}, "Steps": [FAIL]}
    assert check_text(json.dumps(definition, ensure_ascii=False).encode()).plan.steps
