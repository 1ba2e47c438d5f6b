"""The published behaviour cases, each run by the real engine on stubs and a virtual clock."""

from __future__ import annotations

import asyncio
import heapq
import json
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from sagelocal.api.faults import described
from sagelocal.callbacks import Awaited, Failure, Success
from sagelocal.cloud.sqs import Queues
from sagelocal.database import open_database
from sagelocal.definition import parse, walk
from sagelocal.engine import Engine
from sagelocal.errors import SagelocalError
from sagelocal.names import Partition
from sagelocal.settings import Runtime, Settings
from sagelocal.store.views import ExecutionView, StepView
from sagelocal_executors import Stubs

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES: list[dict[str, Any]] = yaml.safe_load(
    (FIXTURES / "behaviour" / "cases.yaml").read_text(encoding="utf-8")
)

LATER = {
    "cache-": "caching comes with its own issue",
    "selective-": "selective execution comes with its own issue",
    "foreach-": "ForEach comes with its own issue",
    "step-decorator-runs-for-real": "run for real in tests/e2e, with the SDK",
}
"""Cases that are not about this part of the product, by the beginning of their id; everything else must pass."""
NOW = [case for case in CASES if not case["id"].startswith(tuple(LATER))]


class VirtualClock:
    """Time that passes only when nobody has anything else to do."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def pass_time(self) -> None:
        """Jump to the next sleeper whenever the loop has been quiet for a while."""
        while True:
            await asyncio.sleep(0.01)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)  # cancelled: no reason for time to pass
            if self._sleepers:
                self._now, _, future = heapq.heappop(self._sleepers)
                future.set_result(None)


def _failure(fail: dict[str, str]) -> dict[str, str]:
    return {"reason": fail.get("reason", "no"), "error": fail.get("exception_type", "AlgorithmError")}


def stubs_of(case: dict[str, Any], definition: str) -> Stubs:
    """The case's stubs in the form of our stub files."""
    files = {
        (step.name, file.name): file
        for step in walk(parse(definition).steps)
        for file in getattr(step, "property_files", ())
    }
    steps: dict[str, Any] = {}
    for name, stub in case["stubs"].items():
        outputs: dict[str, dict[str, Any]] = {}
        for key in ("property_files", "property_files_raw"):
            for file, content in (stub.get(key) or {}).items():
                place = files[name, file]
                outputs.setdefault(place.output_name, {})[place.file_path] = content
        steps[name] = {
            "duration": stub.get("duration", 0),
            "properties": stub.get("properties", {}),
            "outputs": outputs,
            "values": stub.get("outputs", {}),
            "violations": stub.get("violations", False),
            **({"failure": _failure(stub["fail"])} if stub.get("fail") else {}),
            **({"fail_times": stub["fail_times"]} if "fail_times" in stub else {}),
        }
    # Callback steps are not stubbed: the message goes out, and the answer that the case wants comes in.
    return Stubs.model_validate({"steps": steps})


def text_of(definition: dict[str, Any]) -> str:
    if "$ref" in definition:
        return (FIXTURES / str(definition["$ref"])).read_text(encoding="utf-8")
    return json.dumps(definition)


def write_objects(case: dict[str, Any], home: Path) -> None:
    for stub in case["stubs"].values():
        for uri, content in (stub.get("s3") or {}).items():
            path = home / "s3" / uri.removeprefix("s3://")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


class Stage:
    """One case on the real engine."""

    def __init__(self, case: dict[str, Any], home: Path) -> None:
        self.case = case
        self.definition = text_of(case["definition"])
        write_objects(case, home)
        self.clock = VirtualClock()
        self.home = home
        self.answers = {name: stub["callback"] for name, stub in case["stubs"].items() if "callback" in stub}
        self.errors: list[str] = []
        self._tokens: dict[str, str] = {}
        self.engine = Engine(
            Settings(home=home, runtime=Runtime.AUTO if self.answers else Runtime.STUB),
            stubs=stubs_of(case, self.definition),
            clock=self.clock,
        )
        self.engine.subscribe(self._act)
        self.engine.callbacks.subscribe(self._answer)
        self._pending = [action for action in case.get("actions", []) if "when" in action]
        self._arns: list[str] = []

    async def play(self) -> list[ExecutionView]:
        parallel = [self.case.get("create_args", {}), self.case.get("create_args", {}).get("start", {})]
        limits = [
            args["ParallelismConfiguration"]["MaxParallelExecutionSteps"]
            for args in parallel
            if "ParallelismConfiguration" in args
        ]
        starts = [action for action in self.case.get("actions", []) if action["do"] == "start"] or [{}]
        passing = asyncio.create_task(self.clock.pass_time())
        try:
            async with self.engine as engine:
                name = "MyPipeline"
                engine.create_pipeline(name, self.definition)
                for _ in starts:
                    limit = limits[-1] if limits else None
                    self._arns.append(await engine.start(name, self.case["parameters"], max_parallel=limit))
                views = [await engine.wait(arn) for arn in self._arns]
                self._act_after()
                await self._retry(views)
                return views
        finally:
            passing.cancel()

    def _answer(self, awaited: Awaited) -> None:
        """Answer as the case says, once the message is out."""
        self._tokens[awaited.step] = awaited.token
        stub = self.answers.get(awaited.step) or self.answers["*"]
        answer = Success(stub["success"]) if "success" in stub else Failure(stub["failure"])
        asyncio.get_running_loop().call_soon(self.engine.callbacks.answer, awaited.token, answer)

    def _act_after(self) -> None:
        """Do what the case wants done when a step is over."""
        for action in self.case.get("actions", []):
            if action["do"] == "send-success":
                try:
                    self.engine.callbacks.answer(self._tokens[action["after"]], Success({}))
                except SagelocalError as error:
                    self.errors.append(described(error)[0])

    async def _retry(self, views: list[ExecutionView]) -> None:
        """Retry the execution, where the case wants that."""
        for action in self.case.get("actions", []):
            if action["do"] == "retry-execution":
                try:
                    await self.engine.retry(views[0].arn)
                except SagelocalError as error:
                    self.errors.append(described(error)[0])

    async def messages(self) -> list[dict[str, Any]]:
        """What the Callback steps have sent."""
        with closing(open_database(self.home / "state.db")) as connection:
            queues = Queues(connection, self.clock, Partition("us-east-1", "000000000000"))
            return [json.loads(message.body) for message in await queues.receive("q", 10)]

    def _act(self, change: StepView | ExecutionView) -> None:
        """Do what the case wants done while a step executes."""
        for action in list(self._pending):
            if isinstance(change, StepView) and f"{change.name} {change.status.lower()}" == action["when"]:
                self._pending.remove(action)
                match action["do"]:
                    case "stop":
                        # Not at once: what is told is that the step begins, and it shall have begun.
                        asyncio.get_running_loop().call_soon(self.engine.stop, self._arns[0])
                    case "update":
                        self.engine.create_pipeline("MyPipeline", text_of(action["definition"]))


def parallel(views: list[ExecutionView]) -> int:
    """The most steps that ran at one moment."""
    changes = [
        change
        for view in views
        for step in view.steps
        if step.started is not None and step.ended is not None and step.started < step.ended
        for change in ((step.started, 1), (step.ended, -1))
    ]
    most = running = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def at(arguments: Any, path: str) -> Any:
    for part in path.replace("[", ".").replace("]", "").split("."):
        arguments = arguments[int(part)] if part.isdigit() else arguments[part]
    return arguments


def compare(view: ExecutionView, expected: dict[str, Any]) -> None:
    steps = {step.name: step for step in view.steps}
    assert view.status == expected["execution_status"]
    for name, wanted in (expected.get("steps") or {}).items():
        step = steps[name]
        assert step.status == wanted["status"], step.failure_reason
        if "failure_reason" in wanted:
            assert step.failure_reason == wanted["failure_reason"]
        assert wanted.get("failure_reason_contains", "") in (step.failure_reason or "")
        for key in {"attempt_count", "attempts_total"} & wanted.keys():
            assert step.attempt == wanted[key]
        if "metadata" in wanted:
            assert step.metadata == wanted["metadata"]
    assert not set(expected.get("not_listed", [])) & set(steps)
    compare_arguments(steps, expected)
    names = list(steps)
    for before, after in expected.get("order", []):
        assert names.index(before) < names.index(after)
        assert (steps[before].ended or 0) <= (steps[after].started or 0)
    if "max_parallel_at_least" in expected:
        assert parallel([view]) >= expected["max_parallel_at_least"]
    if "max_parallel" in expected:
        assert parallel([view]) <= expected["max_parallel"]
    for text in expected.get("fail_step_message_contains", []):
        assert any(text in str(step.metadata) for step in view.steps if step.type == "Fail")


def compare_arguments(steps: dict[str, StepView], expected: dict[str, Any]) -> None:
    for key, read in (("resolved", lambda value: value), ("resolved_json", json.loads)):
        for name, values in (expected.get(key) or {}).items():
            for path, value in values.items():
                assert read(at(steps[name].arguments, path)) == value


@pytest.mark.parametrize("case", NOW, ids=lambda case: case["id"])
async def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    stage, expected = Stage(case, tmp_path), case["expected"]
    if expected.get("start") == "rejected":
        with pytest.raises(SagelocalError) as raised:
            await stage.play()
        assert all(text in str(raised.value) for text in expected["error_contains"])
        return
    views = await stage.play()
    assert not stage._pending
    for view in views:
        compare(view, expected.get("each", expected))
    if expected.get("retry_execution") == "rejected":
        assert stage.errors == ["ConflictException"]
    if "api_errors_any" in expected:
        assert len(stage.errors) == 1
        assert stage.errors[0] in expected["api_errors_any"]
    if "queue_messages" in expected:
        for message, wanted in zip(await stage.messages(), expected["queue_messages"], strict=True):
            assert set(wanted["has"]) <= set(message)
            assert {key: message[key] for key in wanted if key != "has"}.items() <= wanted.items()
    if "max_parallel_over_both_at_least" in expected:
        assert parallel(views) >= expected["max_parallel_over_both_at_least"]


def test_every_case_is_run_now_or_put_off_by_name() -> None:
    late = [case["id"] for case in CASES if case not in NOW]
    assert len(CASES) == 77
    assert len(NOW) >= 40
    assert all(any(name.startswith(prefix) for name in late) for prefix in LATER)
