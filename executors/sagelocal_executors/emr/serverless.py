"""EMR Serverless steps: one job run of an application (StartJobRun; semantics 02 §2.13, 07 §7.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.clock import Clock, iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog, StepLogs
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject
from sagelocal_executors.emr.clusters import token
from sagelocal_executors.emr.commands import Command, run_command
from sagelocal_executors.emr.programs import End, Ended, Programs
from sagelocal_executors.emr.requests import START_RUN, ServerlessRequest, parse, refused, spark_defaults
from sagelocal_executors.faults import JobError, step_reason

_STATES: Mapping[End, str] = {
    End.COMPLETED: "SUCCESS",
    End.FAILED: "FAILED",
    End.CANCELLED: "CANCELLED",
    End.INTERRUPTED: "FAILED",
}


@dataclass(frozen=True, slots=True)
class EmrServerlessExecutor:
    """Runs a job in an application that is named, or in one created for it and stopped after it."""

    programs: Programs
    partition: Partition
    logs: StepLogs
    catalog: Catalog
    clock: Clock

    async def run(self, job: Job) -> Outcome:
        with self.logs.open(job.execution, job.step) as log:
            try:
                request = parse(START_RUN, ServerlessRequest, job.arguments)
                application = self._application(job, request)
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            return await _Work(self, job, request, application, log, self.clock.now()).run()

    def _application(self, job: Job, request: ServerlessRequest) -> str:
        """The id of the application, which is there and started."""
        named = request.application_id or request.job_config.application_id
        if (named is None) == (request.application_config is None):
            raise refused(START_RUN, "exactly one of ApplicationId and ApplicationConfig must be given")
        if named is not None:
            if self.catalog.get(Kind.EMR_APPLICATION, named) is None:
                self.enter(named, "STARTED", {"name": named, "type": "Spark"})
            return named
        created = f"00{token(job.name).lower()}"
        config = request.application_config or {}
        for state in ("CREATING", "CREATED", "STARTING", "STARTED"):
            self.enter(created, state, config)
        return created

    def enter(self, application: str, state: str, config: Mapping[str, Any] | None = None) -> None:
        """Record the state of an application; with `config`, of a new one (the Application of GetApplication)."""
        now = self.clock.now()
        known = self.catalog.get(Kind.EMR_APPLICATION, application)
        created = known.created if known else now
        base = known.describe if known else _echoed(config or {})
        answer: JsonObject = {
            **base,
            "applicationId": application,
            "arn": self.arn(application),
            "state": state,
            "createdAt": iso(created),
            "updatedAt": iso(now),
        }
        self.catalog.put(Entity(Kind.EMR_APPLICATION, application, created, answer))

    def arn(self, application: str) -> str:
        return f"arn:aws:emr-serverless:{self.partition.region}:{self.partition.account}:/applications/{application}"


def _echoed(config: Mapping[str, Any]) -> JsonObject:
    given: JsonObject = {key: value for key, value in config.items() if key not in {"clientToken", "tags"}}
    return {"releaseLabel": "local", "type": "SPARK", **given}


@dataclass(frozen=True, slots=True)
class _Work:
    """One job run on its way."""

    tools: EmrServerlessExecutor
    job: Job
    request: ServerlessRequest
    application: str
    log: StepLog
    created: float

    async def run(self) -> Outcome:
        self._enter("SUBMITTED")
        started = self.tools.clock.now()
        self._enter("RUNNING", started=started)
        try:
            ended = await self._play()
        except asyncio.CancelledError:
            answer = self._enter(
                "CANCELLED", "JobRun was cancelled by the user.", started=started, ended=True
            )
            return Stopped(answer)
        finally:
            if self.request.application_config is not None:
                self.tools.enter(self.application, "STOPPED")
        return self._outcome(ended, started)

    async def _play(self) -> Ended:
        minutes = self.request.job_config.execution_timeout_minutes
        try:
            return await self.tools.programs.run(
                self.job, self._command, self.log, minutes * 60.0 if minutes else None
            )
        except JobError as error:
            self.log.note(error.reason)
            return Ended(End.FAILED, error.reason.removeprefix("ClientError: "), error.error)

    def _command(self) -> Command:
        config = self.request.job_config
        defaults = spark_defaults(config.configuration_overrides.get("applicationConfiguration"))
        return run_command(config.job_driver, defaults)

    def _outcome(self, ended: Ended, started: float) -> Outcome:
        state = _STATES[ended.end]
        answer = self._enter(state, ended.message, started=started, ended=True)
        if ended.end is End.COMPLETED:
            return Succeeded(answer)
        reason = f"EMR Serverless job run {self._id} is {state}: {ended.message}"
        self.log.note(reason)
        return Failed(step_reason(reason), ended.error, answer)

    def _enter(
        self, state: str, details: str = "", *, started: float | None = None, ended: bool = False
    ) -> JsonObject:
        """Record the state; returns the properties of the step."""
        self.log.note(f"job run {self._id} of application {self.application} is {state}")
        run = self._describe(state, details, started, ended=ended)
        name = f"{self.application}/{self._id}"
        self.tools.catalog.put(Entity(Kind.EMR_JOB_RUN, name, self.created, run))
        return {
            "jobRun": run,
            "ApplicationId": self.application,
            "JobRunId": self._id,
            "JobRunName": run["name"],
            "LogFilePath": str(self.tools.logs.path(self.job.execution, self.job.step)),
        }

    @property
    def _id(self) -> str:
        return f"00{token(f'run {self.job.name}').lower()}"

    def _describe(self, state: str, details: str, started: float | None, *, ended: bool) -> dict[str, Json]:
        """The JobRun of GetJobRun (boto:emr-serverless)."""
        config, now = self.request.job_config, self.tools.clock.now()
        given: Any = self.job.arguments["JobConfig"]
        application = self.tools.catalog.get(Kind.EMR_APPLICATION, self.application)
        role = config.execution_role_arn or self.request.execution_role_arn
        run: dict[str, Json] = {
            "applicationId": self.application,
            "jobRunId": self._id,
            "name": config.name or self.job.name,
            "arn": f"{self.tools.arn(self.application)}/jobruns/{self._id}",
            "createdBy": role,
            "createdAt": iso(self.created),
            "updatedAt": iso(now),
            "executionRole": role,
            "state": state,
            "stateDetails": details or f"The job run is {state}.",
            "releaseLabel": application.describe["releaseLabel"] if application else "local",
            "jobDriver": given["jobDriver"],
            "tags": dict(config.tags),
            "executionTimeoutMinutes": config.execution_timeout_minutes,
            "mode": "BATCH",
        }
        if given.get("configurationOverrides"):
            run["configurationOverrides"] = given["configurationOverrides"]
        if started is not None:
            run["startedAt"] = iso(started)
        if ended:
            run["endedAt"] = iso(now)
            run["totalExecutionDurationSeconds"] = int(now - (started or now))
        return run
