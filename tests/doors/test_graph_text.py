"""The graph of a definition as text."""

from __future__ import annotations

import json

from sagelocal.definition import parse
from sagelocal.graph import as_json, dot, mermaid
from sagelocal.plan import Plan, plan

_SMALL = """
{
  "Version": "2020-12-01",
  "Steps": [
    {"Name": "Ask", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:ask", "Arguments": {},
     "OutputParameters": [{"OutputName": "answer", "OutputType": "String"}]},
    {"Name": "Decide", "Type": "Condition", "DependsOn": ["Ask"], "Arguments": {
      "Conditions": [
        {"Type": "Equals", "LeftValue": {"Get": "Steps.Ask.OutputParameters['answer']"}, "RightValue": "yes"}],
      "IfSteps": [
        {"Name": "Go", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:go",
         "Arguments": {"answer": {"Get": "Steps.Ask.OutputParameters['answer']"}}}],
      "ElseSteps": [{"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}},
    {"Name": "Mourn", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:mourn",
     "Arguments": {}, "DependsOn": [{"Step": "Ask", "Trigger": "Failed"}]}
  ]
}
"""

_MERMAID = """\
flowchart TD
    s0["Ask<br/>Lambda"]
    s1{"Decide<br/>Condition"}
    s2["Go<br/>Lambda"]
    s3(["Refuse<br/>Fail"])
    s4["Mourn<br/>Lambda"]
    s0 -->|"depends-on, data"| s1
    s1 -->|"True"| s2
    s0 -->|"data"| s2
    s1 -->|"False"| s3
    s0 -->|"depends-on: Failed"| s4
"""


def small() -> Plan:
    return plan(parse(_SMALL))


def test_mermaid_says_why_each_step_waits() -> None:
    assert mermaid(small()) == _MERMAID


def test_mermaid_gives_each_step_of_an_execution_the_class_of_its_status() -> None:
    text = mermaid(small(), {"Ask": "Succeeded", "Decide": "Failed"})
    assert 's0["Ask<br/>Lambda"]:::Succeeded' in text
    assert 's1{"Decide<br/>Condition"}:::Failed' in text
    assert 's2["Go<br/>Lambda"]:::NotStarted' in text
    assert [line.split()[1] for line in text.splitlines() if "classDef" in line] == [
        "Failed",
        "NotStarted",
        "Succeeded",
    ]


def test_dot_has_each_step_and_edge_once() -> None:
    lines = dot(small()).splitlines()
    assert '  "Decide" [label="Decide\\nCondition", shape=diamond];' in lines
    assert '  "Ask" -> "Mourn" [label="depends-on: Failed"];' in lines
    assert sum("->" in line for line in lines) == 5


def test_json_tells_branch_from_data() -> None:
    content = json.loads(as_json(small(), {"Ask": "Succeeded"}))
    assert content["steps"][:2] == [
        {"name": "Ask", "type": "Lambda", "status": "Succeeded"},
        {"name": "Decide", "type": "Condition", "status": "NotStarted"},
    ]
    assert {
        "from": "Decide",
        "to": "Go",
        "reasons": ["branch"],
        "trigger": "Completed",
        "side": True,
    } in content["edges"]
    assert {"from": "Ask", "to": "Go", "reasons": ["data"], "trigger": "Completed", "side": None} in content[
        "edges"
    ]
