"""The author's own scripts shape the records, and run after the analysis."""

from __future__ import annotations

import json
from typing import Any

import pytest

JSON_LINES = {"json": {"lines": True}}


def means(reports: dict[str, Any]) -> dict[str, float]:
    return {
        feature["name"]: feature["numerical_statistics"]["mean"]
        for feature in reports["statistics"]["features"]
    }


def test_a_preprocessor_gets_csv_as_lines_with_the_header(monitor: Any) -> None:
    script = monitor.script(
        "pre.py",
        "import csv\n"
        "def preprocess_handler(csv_line):\n"
        "    record = next(csv.reader([csv_line]))\n"
        "    if record[0] == 'a':\n"
        "        return []\n"
        "    return {str(i).zfill(20): format(float(d), 'f') for i, d in enumerate(record)}\n",
    )
    monitor.write("data.csv", "a,b\n1e-3,2\n3e-3,4\n")

    assert means(monitor.run(record_preprocessor_script=script)) == {
        f"{0:020}": pytest.approx(0.002),
        f"{1:020}": pytest.approx(3),
    }


def test_a_preprocessor_gets_json_as_objects_and_may_take_a_logger(
    monitor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script = monitor.script(
        "pre.py",
        "def preprocess_handler(record, logger):\n"
        "    print('seen', record['id'], logger.name)\n"
        "    if record['id'] == 2:\n"
        "        return None\n"
        "    return [{'x': value} for value in record['values']]\n",
    )
    monitor.json_lines([{"id": 1, "values": [1, 2]}, {"id": 2, "values": [50]}, {"id": 3, "values": [6]}])

    assert means(monitor.run(JSON_LINES, record_preprocessor_script=script)) == {"x": pytest.approx(3)}
    assert "seen 3 preprocessor" in capsys.readouterr().out


def test_a_preprocessor_gets_captured_data_as_inference_records(monitor: Any) -> None:
    script = monitor.script(
        "pre.py",
        "def preprocess_handler(inference_record):\n"
        "    assert inference_record.event_metadata.event_id == 'one'\n"
        "    assert inference_record.endpoint_input.encoding == 'CSV'\n"
        "    data = inference_record.endpoint_output.data.rstrip() + ',' + inference_record.endpoint_input.data\n"
        "    return {i: None if x == '-1' else x for i, x in enumerate(data.split(','))}\n",
    )
    event = {
        "captureData": {
            "endpointInput": {"data": "7,-1", "encoding": "CSV"},
            "endpointOutput": {"data": "0.5\n", "encoding": "CSV"},
        },
        "eventMetadata": {"eventId": "one"},
    }
    monitor.json_lines([event, event])

    statistics = monitor.run({"sagemakerCaptureJson": {}}, record_preprocessor_script=script)["statistics"]

    assert {it["name"]: it["inferred_type"] for it in statistics["features"]} == {
        "0": "Fractional",
        "1": "Integral",
        "2": "Unknown",
    }


def test_a_postprocessor_finds_the_reports(monitor: Any) -> None:
    monitor.write("data.csv", "x\n" + "1\n2\n" * 500)
    baseline = monitor.baseline(monitor.run())
    script = monitor.script(
        "post.py",
        "import json, re\n"
        "def postprocess_handler():\n"
        f"    with open({str(monitor.output / 'constraint_violations.json')!r}) as file:\n"
        "        violations = json.load(file)['violations']\n"
        "    found = [re.search('distance: (.+) exceeds threshold: (.+)', v['description']) for v in violations]\n"
        f"    with open({str(monitor.output / 'drift.json')!r}, 'w') as file:\n"
        "        json.dump([float(word) for match in found if match for word in match.groups()], file)\n",
    )
    monitor.write("data.csv", "x\n" + "8\n9\n" * 500)

    reports = monitor.run(post_analytics_processor_script=script, **baseline)

    assert reports["drift"] == pytest.approx([1 - 1.8 * (2000 / 1e6) ** 0.5, 0.1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def other(): pass\n", "has no function preprocess_handler"),
        ("import missing_module_of_nobody\n", "failed: ModuleNotFoundError"),
        (
            "def preprocess_handler(record):\n    return record['b']\n",
            "failed at data.jsonl, line 2: KeyError: 'b'",
        ),
        (
            "def preprocess_handler(record):\n    return 5\n",
            "data.jsonl, line 1: a record must be a JSON object",
        ),
    ],
)
def test_a_script_that_does_not_work_is_named_with_its_error(monitor: Any, text: str, words: str) -> None:
    script = monitor.script("pre.py", text)
    monitor.write("data.jsonl", json.dumps({"b": {"x": 1}}) + "\n" + json.dumps({"a": 1}) + "\n")

    assert words in monitor.refusal(JSON_LINES, record_preprocessor_script=script)


def test_the_reports_stay_when_the_postprocessor_fails(monitor: Any) -> None:
    monitor.write("data.csv", "x\n1\n")
    script = monitor.script("post.py", "def postprocess_handler():\n    raise RuntimeError('no mail')\n")

    assert "failed: RuntimeError: no mail" in monitor.refusal(post_analytics_processor_script=script)
    assert (monitor.output / "statistics.json").is_file()
