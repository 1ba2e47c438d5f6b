"""Random graphs, failures and stops: the machine against a plain scheduler, and against its own journal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sagelocal.database import open_database
from sagelocal.definition import parse
from sagelocal.events import Begun, Event, Finished, Started, StopRequested
from sagelocal.execution import Execution
from sagelocal.jobs import Failed, Outcome, Stopped, Succeeded
from sagelocal.names import Partition
from sagelocal.plan import plan
from sagelocal.resumption import replay
from sagelocal.state import Identity, Rules
from sagelocal.store.journal import Journal, Start
from sagelocal.store.machines import fresh
from sagelocal.store.pipelines import Pipelines

MET, BROKEN, OPEN = "met", "broken", "open"
ENDED = {"Succeeded", "Failed", "Stopped"}


@dataclass
class Node:
    """A step: what it waits for as (step, trigger), its branch as (condition, side), a condition's decision."""

    name: str
    waits: list[tuple[str, str]] = field(default_factory=list)
    branch: tuple[str, bool] | None = None
    decision: bool | None = None


class Reference:
    """The rules of semantics 05 §5.6, applied afresh to every step after every event."""

    def __init__(self, nodes: list[Node], *, start_after_failure: bool) -> None:
        self.nodes = nodes
        self.status = {node.name: "Waiting" for node in nodes}
        self.start_after_failure = start_after_failure
        self.stopping = False
        self.failed_while_stopping = False
        self.end = "Executing"
        self.settle()

    def start(self, name: str) -> None:
        self.status[name] = "Executing"

    def finish(self, name: str, status: str) -> None:
        if status == "Stopped" and not self.stopping:
            status = "Failed"
        if status == "Failed" and self.stopping:
            self.failed_while_stopping = True
        self.status[name] = status
        self.settle()

    def stop(self) -> None:
        if self.end != "Executing":
            return
        self.stopping = True
        for name, status in self.status.items():
            if status == "Ready":
                self.status[name] = "Skipped"
            if status == "Executing":
                self.status[name] = "Stopping"
        self.settle()

    def settle(self) -> None:
        while self.pass_over():
            pass
        if not set(self.status.values()) & {"Ready", "Executing", "Stopping"} and self.end == "Executing":
            self.status = {
                name: "Skipped" if status == "Waiting" else status for name, status in self.status.items()
            }
            self.end = self.verdict()

    def pass_over(self) -> bool:
        for node in self.nodes:
            status = self.status[node.name]
            if status == "Ready" and not self.may_start(node):
                self.status[node.name] = "Skipped"
                return True
            if status != "Waiting":
                continue
            states = [self.wait(*wait) for wait in node.waits]
            if node.branch:
                states.append(self.side(*node.branch))
            if BROKEN in states:
                self.status[node.name] = "Skipped"
                return True
            if OPEN not in states and self.may_start(node):
                self.status[node.name] = "Ready" if node.decision is None else "Succeeded"
                return True
        return False

    def wait(self, name: str, trigger: str) -> str:
        status = self.status[name]
        if status == "Skipped":
            return BROKEN
        if status not in ENDED:
            return OPEN
        wanted = {"Completed": {"Succeeded"}, "Failed": {"Failed"}, "Stopped": {"Stopped"}, "Any": ENDED}[
            trigger
        ]
        return MET if status in wanted else BROKEN

    def side(self, condition: str, side: bool) -> str:
        state = self.wait(condition, "Completed")
        decision = next(node.decision for node in self.nodes if node.name == condition)
        return BROKEN if state == MET and decision is not side else state

    def may_start(self, node: Node) -> bool:
        if self.stopping:
            return False
        unhandled = [
            name for name, status in self.status.items() if status == "Failed" and not self.handlers(name)
        ]
        return (
            self.start_after_failure
            or not unhandled
            or any(trigger != "Completed" for _, trigger in node.waits)
        )

    def handlers(self, name: str) -> list[str]:
        return [
            node.name
            for node in self.nodes
            if any(w == name and t in {"Failed", "Any"} for w, t in node.waits)
        ]

    def verdict(self) -> str:
        if self.stopping:
            return "Failed" if self.failed_while_stopping else "Stopped"
        failed = [name for name, status in self.status.items() if status == "Failed"]
        if not failed:
            return "Succeeded"
        good = all(any(self.status[h] == "Succeeded" for h in self.handlers(name)) for name in failed)
        return "CompletedWithFailures" if good else "Failed"


PARTITION = Partition("us-east-1", "000000000000")
ARN = PARTITION.execution("p", "abcdefghijkl")
OUTCOMES: dict[str, Outcome] = {
    "Succeeded": Succeeded({"a": 1}),
    "Failed": Failed("no", "AlgorithmError"),
    "Stopped": Stopped({}),
}


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Steps in a runnable order; conditions own some of the later ones."""
    nodes: list[Node] = []
    for index in range(draw(st.integers(1, 10))):
        before = [node.name for node in nodes]
        chosen: list[str] = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        triggers = st.sampled_from(["Completed", "Completed", "Completed", "Failed", "Any", "Stopped"])
        node = Node(f"S{index}", waits=[(name, draw(triggers)) for name in chosen])
        conditions = [node.name for node in nodes if node.decision is not None]
        inside: bool = draw(st.booleans())
        if conditions and inside:
            side: bool = draw(st.booleans())
            node.branch = (draw(st.sampled_from(conditions)), side)
        if draw(st.integers(0, 3)) == 0:
            decision: bool = draw(st.booleans())
            node.decision = decision
        nodes.append(node)
    return nodes


def definition(nodes: list[Node]) -> str:
    def written(node: Node) -> dict[str, Any]:
        depends = [
            name if trigger == "Completed" else {"Step": name, "Trigger": trigger}
            for name, trigger in node.waits
        ]
        if node.decision is None:
            return {
                "Name": node.name,
                "Type": "Lambda",
                "FunctionArn": "f",
                "Arguments": {},
                "DependsOn": depends,
            }
        inside = {
            side: [written(n) for n in nodes if n.branch == (node.name, side)] for side in (True, False)
        }
        conditions = [{"Type": "Equals", "LeftValue": node.decision, "RightValue": True}]
        arguments = {"Conditions": conditions, "IfSteps": inside[True], "ElseSteps": inside[False]}
        return {"Name": node.name, "Type": "Condition", "Arguments": arguments, "DependsOn": depends}

    return json.dumps({"Steps": [written(node) for node in nodes if node.branch is None]})


def live(nodes: list[Node], data: st.DataObject, rules: Rules) -> tuple[Execution, Reference, list[Event]]:
    """Let both schedulers live through the same random sequence of events."""
    execution = Execution(
        Identity("p", PARTITION.pipeline("p"), ARN), plan(parse(definition(nodes))), {}, rules
    )
    reference = Reference(nodes, start_after_failure=rules.start_after_failure)
    recorded: list[Event] = []

    def tell(event: Event) -> None:
        recorded.append(event)
        execution.apply(event)

    tell(Begun(0.0))
    for moment in range(1, 60):
        states = {name: str(state.status) for name, state in execution.steps.items()}
        assert states == reference.status
        ready = [name for name, status in states.items() if status == "Ready"]
        running = [name for name, status in states.items() if status in {"Executing", "Stopping"}]
        if execution.done:
            break
        choice = data.draw(
            st.sampled_from(
                [*ready, *running, *(["stop"] if data.draw(st.integers(0, 15)) == 0 else [])] or ["stop"]
            )
        )
        if choice == "stop":
            tell(StopRequested(float(moment)))
            reference.stop()
        elif choice in ready:
            tell(Started(choice, float(moment)))
            reference.start(choice)
        else:
            outcome = data.draw(st.sampled_from(["Succeeded", "Succeeded", "Failed", "Stopped"]))
            tell(Finished(choice, OUTCOMES[outcome], float(moment)))
            reference.finish(choice, outcome)
    return execution, reference, recorded


@settings(max_examples=300, deadline=None)
@given(graphs(), st.data(), st.booleans())
def test_the_machine_agrees_with_a_plain_scheduler(
    nodes: list[Node], data: st.DataObject, going_on: bool
) -> None:
    execution, reference, _ = live(nodes, data, Rules(start_after_failure=going_on))
    assert execution.done
    assert str(execution.status) == reference.end


@settings(max_examples=100, deadline=None)
@given(graphs(), st.data())
def test_replaying_the_journal_gives_the_live_state_at_every_moment(
    nodes: list[Node], data: st.DataObject
) -> None:
    execution, _, recorded = live(nodes, data, Rules())
    connection = open_database(":memory:")
    journal = Journal(connection)
    text = definition(nodes)
    start = Start(
        ARN, "p", Pipelines(connection).put("p", "a", text, 0.0), text, 0.0, "d", {}, None, {}, Rules()
    )
    journal.begin(start)
    (kept,) = journal.starts()
    walked = fresh(kept, PARTITION)
    for event in recorded:
        journal.append(ARN, [event])
        walked.apply(event)
        assert replay(fresh(kept, PARTITION), journal.events(ARN)) == walked
    assert walked == execution
