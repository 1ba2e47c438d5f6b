"""The life of a check: the previous baseline found, its processing job run, the result judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.objects import Objects
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Failed, Job, Outcome, Succeeded
from sagelocal.logs import StepLog
from sagelocal.nearest import listed
from sagelocal.values import JsonObject
from sagelocal_executors.checks.baselines import Found, baseline_input, find_previous, require_object
from sagelocal_executors.checks.requests import CheckRequest, parse_check
from sagelocal_executors.checks.violations import Version, read_violations, sentence, version_of
from sagelocal_executors.containers.stub_checks import CHECK_TYPE
from sagelocal_executors.describe import echo_processing
from sagelocal_executors.faults import JobError, client_error, step_reason
from sagelocal_executors.tools import Tools

_CHANGED = ("ProcessingInputs", "Environment")
"""The members of the request that we add to."""

Environment = Mapping[str, str]
Beside = Callable[[Job, CheckRequest, StepLog], AbstractAsyncContextManager[Environment]]
"""What runs beside a check's job; gives the variables by which the job finds it."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Runs checks of either kind.

    Attributes:
        processing: runs the processing job that a check is.
        beside: what a job needs beside itself while it runs.
    """

    processing: Executor
    tools: Tools
    catalog: Catalog
    beside: Beside

    async def run(self, job: Job) -> Outcome:
        with self.tools.logs.open(job.execution, job.log) as log:
            try:
                request = parse_check(job)
                previous = await self._previous(job, request, log)
                return await _Check(self, job, request, previous, log).run()
            except JobError as error:
                return _failed(error, log)

    async def _previous(self, job: Job, request: CheckRequest, log: StepLog) -> Mapping[str, str]:
        """Per file, the previous baseline, if one is needed; what a stubbed step lacks is left out.

        Raises:
            JobError: a file is needed and missing.
        """
        found: dict[str, str] = {}
        for member in request.kind.files if request.needs_previous else ():
            try:
                file = await self._file(job, request, member)
            except JobError as error:
                if not self.tools.stubbed(job.step):
                    raise
                log.note(f"goes on without: {error.reason}")
            else:
                log.note(f"previous baseline {member.lower()}: {file.uri} ({file.said_by})")
                found[member] = file.uri
        return found

    async def _file(self, job: Job, request: CheckRequest, member: str) -> Found:
        file = find_previous(self.catalog, request, member)
        if not self.tools.stubbed(job.step):
            await require_object(self.tools.objects, file)
        return file


def _failed(error: JobError, log: StepLog, properties: JsonObject | None = None) -> Failed:
    log.note(error.reason)
    return Failed(step_reason(error.reason), error.error, properties or {})


@dataclass(frozen=True, slots=True)
class _Check:
    """One check on its way; `previous` is the previous baseline, empty when none is needed."""

    checker: Checker
    job: Job
    request: CheckRequest
    previous: Mapping[str, str]
    log: StepLog

    async def run(self) -> Outcome:
        created = self.checker.tools.clock.now()
        before = await version_of(self._objects, self.request.report)
        answer: JsonObject = {}
        try:
            async with self.checker.beside(self.job, self.request, self.log) as environment:
                outcome = await self.checker.processing.run(self._processing_job(environment))
                answer = outcome.properties
                self._record(answer, created)
        except JobError as error:  # of what ran beside it, and so the reason of its own failure
            return _failed(error, self.log, self._properties(answer, {}))
        if isinstance(outcome, Succeeded):
            return await self._judged(before, answer)
        return replace(outcome, properties=self._properties(answer, {}))

    def _processing_job(self, environment: Environment) -> Job:
        """The job as it was asked for, and what its container needs to compare."""
        inputs: list[JsonObject] = []
        variables = dict(environment)
        if self._stubbed:
            variables[CHECK_TYPE] = self.request.check_type
        elif not self.request.skip:
            for member, uri in self.previous.items():
                item, variable = baseline_input(member, uri)
                inputs.append(item)
                variables |= variable
        arguments = _extended(self.job.arguments, inputs, variables)
        return replace(self.job, kind=StepType.PROCESSING, arguments=arguments, extras={})

    def _record(self, answer: JsonObject, created: float) -> None:
        """Keep the processing job as the request that was given describes it, without what we added."""
        if not answer:
            return
        given = echo_processing(self.job.arguments)
        describe = {name: value for name, value in answer.items() if name not in _CHANGED}
        describe |= {name: given[name] for name in _CHANGED if name in given}
        self.checker.catalog.put(Entity(Kind.PROCESSING_JOB, self.job.name, created, describe))

    async def _judged(self, before: Version | None, answer: JsonObject) -> Outcome:
        """What a job that has completed means for the step."""
        request = self.request
        properties = self._properties(answer, request.calculated)
        try:
            await self._require_results()
            violations = await self._violations(before)
        except JobError as error:
            return _failed(error, self.log, self._properties(answer, {}))
        if not violations:
            return Succeeded(properties)
        for violation in violations:
            self.log.note(f"violation: {sentence(violation)}")
        properties = {**properties, "ViolationReport": request.report}
        if request.fail_on_violation:
            told = f"{request.kind.word} check failed. See violation report {request.report}"
            return _failed(client_error(told), self.log, properties)
        self.log.note(f"goes on despite {request.report}: FailOnViolation is false")
        return Succeeded(properties)

    async def _require_results(self) -> None:
        """Raise a JobError unless the job has left the new baseline."""
        objects, request = self._objects, self.request
        for uri in request.calculated.values():
            if await version_of(objects, uri) is None:
                there = [str(info.uri) for info in await objects.list(f"{request.output}/")]
                raise JobError(
                    f"AlgorithmError: the check's job wrote no {uri}; it left {listed(there)}",
                    "AlgorithmError",
                )

    async def _violations(self, before: Version | None) -> list[JsonObject]:
        """What the job reported against the previous baseline; `before` is the report that an earlier run left."""
        if self.request.skip:
            self.log.note("no drift check: SkipCheck is true")
            return []
        if await version_of(self._objects, self.request.report) in {None, before}:
            self.log.note("the job reported nothing about the previous baseline")
            return []
        violations = await read_violations(self._objects, self.request.report)
        if not violations:
            self.log.note("nothing violates the previous baseline")
        return violations

    def _properties(self, answer: JsonObject, calculated: Mapping[str, str]) -> JsonObject:
        """The members of the step's Metadata, which are its properties as well; none when no job was created."""
        if not answer:
            return {}
        request = self.request
        # Without a previous baseline, as stubs may be, the new one stands in: later steps read the property.
        used = calculated if request.register else {**calculated, **self.previous}
        group: JsonObject = {} if request.group is None else {"ModelPackageGroupName": request.group}
        return {
            "CheckType": request.check_type,
            **{f"BaselineUsedForDriftCheck{member}": uri for member, uri in used.items()},
            **{f"CalculatedBaseline{member}": uri for member, uri in calculated.items()},
            **group,
            "CheckJobArn": answer["ProcessingJobArn"],
            "SkipCheck": request.skip,
            "RegisterNewBaseline": request.register,
        }

    @property
    def _objects(self) -> Objects:
        return self.checker.tools.objects

    @property
    def _stubbed(self) -> bool:
        return self.checker.tools.stubbed(self.job.step)


def _extended(arguments: JsonObject, inputs: list[JsonObject], variables: Environment) -> JsonObject:
    """The request with further inputs and variables."""
    given, environment = arguments.get("ProcessingInputs"), arguments.get("Environment")
    return {
        **arguments,
        "ProcessingInputs": [*(given if isinstance(given, list | tuple) else ()), *inputs],
        "Environment": {**(environment if isinstance(environment, Mapping) else {}), **variables},
    }
