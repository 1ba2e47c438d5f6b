"""EMR steps: one step of a cluster (AddJobFlowSteps, RunJobFlow; semantics 02 §2.12, 07 §7.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sagelocal.clock import Clock, iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog, StepLogs
from sagelocal.values import Json, JsonObject
from sagelocal_executors.emr.clusters import CancelledStepError, Cluster, Clusters, token
from sagelocal_executors.emr.commands import Command, step_command
from sagelocal_executors.emr.programs import End, Ended, Programs
from sagelocal_executors.emr.requests import ADD_STEPS, RUN_FLOW, EmrRequest, parse, refused, spark_defaults
from sagelocal_executors.faults import JobError, step_reason


@dataclass(frozen=True, slots=True)
class EmrExecutor:
    """Runs a step on a cluster that is named, or on one made for it and terminated after it."""

    programs: Programs
    clusters: Clusters
    logs: StepLogs
    catalog: Catalog
    clock: Clock

    async def run(self, job: Job) -> Outcome:
        with self.logs.open(job.execution, job.step) as log:
            try:
                request = parse(ADD_STEPS, EmrRequest, job.arguments)
                if (request.cluster_id is None) == (request.cluster_config is None):
                    raise refused(ADD_STEPS, "exactly one of ClusterId and ClusterConfig must be given")
                cluster = self._cluster(job, request)
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            log.note(f"cluster {cluster.id} is {cluster.state}")
            return await _Work(self, job, request, cluster, log).run()

    def _cluster(self, job: Job, request: EmrRequest) -> Cluster:
        if request.cluster_id is not None:
            return self.clusters.named(request.cluster_id)
        config = request.cluster_config or {}
        if not isinstance(config.get("Instances"), Mapping):
            raise refused(RUN_FLOW, "ClusterConfig has no Instances")
        return self.clusters.start(f"j-{token(job.name)}", job.name, config)


@dataclass(slots=True)
class _Record:
    """What is known of the step on its way; moments in seconds since the epoch."""

    created: float
    state: str = "PENDING"
    started: float | None = None
    ended: float | None = None
    failure: Ended | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """One step on its way."""

    tools: EmrExecutor
    job: Job
    request: EmrRequest
    cluster: Cluster
    log: StepLog

    async def run(self) -> Outcome:
        own = self.request.cluster_config is not None
        record = _Record(self.tools.clock.now())
        try:
            outcome = await self._submitted(record)
        except JobError as error:
            self.log.note(error.reason)
            outcome = Failed(step_reason(error.reason), error.error)
        except asyncio.CancelledError:
            self._enter(record, End.CANCELLED, ended=True)
            outcome = Stopped(self._describe(record))
        if own:
            self._terminate(outcome)
        return outcome

    async def _submitted(self, record: _Record) -> Outcome:
        epoch = self.tools.clusters.submit(self.cluster)
        self._enter(record, "PENDING")
        try:
            if self.cluster.running:
                self.log.note(f"waits for its turn on cluster {self.cluster.id}")
            async with self.tools.clusters.turn(self.cluster, epoch):
                record.started = self.tools.clock.now()
                self._enter(record, "RUNNING")
                ended = await self._play()
        except CancelledStepError as error:
            ended = Ended(End.CANCELLED, str(error))
        return self._outcome(record, ended)

    async def _play(self) -> Ended:
        """Run the step; what cannot be begun is a step that failed, as EMR finds out on the node."""
        try:
            return await self.tools.programs.run(self.job, self._command, self.log)
        except JobError as error:
            self.log.note(error.reason)
            return Ended(End.FAILED, error.reason.removeprefix("ClientError: "), error.error)

    def _command(self) -> Command:
        config = self.request.cluster_config or {}
        step = self.request.step_config.hadoop_jar_step
        return step_command(step, spark_defaults(config.get("Configurations")))

    def _outcome(self, record: _Record, ended: Ended) -> Outcome:
        record.failure = None if ended.end is End.COMPLETED else ended
        self._enter(record, ended.end, ended=True)
        answer = self._describe(record)
        if ended.end is End.COMPLETED:
            return Succeeded(answer)
        if ended.end is not End.CANCELLED:
            self._act_on_failure()
        reason = f"EMR step {self._id} on cluster {self.cluster.id} is {ended.end}: {ended.message}"
        self.log.note(reason)
        return Failed(step_reason(reason), ended.error, answer)

    def _act_on_failure(self) -> None:
        """Do what ActionOnFailure says to the others of a cluster that is not ours."""
        match self.request.step_config.action_on_failure:
            case "CANCEL_AND_WAIT":
                self.tools.clusters.cancel_pending(self.cluster)
            case "TERMINATE_CLUSTER" | "TERMINATE_JOB_FLOW" if self.request.cluster_id is not None:
                self.tools.clusters.terminate(self.cluster, "STEP_FAILURE", f"Step {self._id} failed")

    def _terminate(self, outcome: Outcome) -> None:
        match outcome:
            case Succeeded():
                code, text = "ALL_STEPS_COMPLETED", "Steps completed"
            case Failed():
                code, text = "STEP_FAILURE", f"Step {self._id} failed"
            case Stopped():
                code, text = "USER_REQUEST", "Terminated by user request"
        self.tools.clusters.terminate(self.cluster, code, text)
        self.log.note(f"cluster {self.cluster.id} is {self.cluster.state}")

    def _enter(self, record: _Record, state: str, *, ended: bool = False) -> None:
        record.state = state
        if ended:
            record.ended = self.tools.clock.now()
        self.log.note(f"step {self._id} is {state}")
        entity = Entity(
            Kind.EMR_STEP, f"{self.cluster.id}/{self._id}", record.created, self._describe(record)
        )
        self.tools.catalog.put(entity)

    @property
    def _id(self) -> str:
        return f"s-{token(self.job.name)}"

    @property
    def _log_path(self) -> Path:
        return self.tools.logs.path(self.job.execution, self.job.step)

    def _describe(self, record: _Record) -> JsonObject:
        """EMR's Step, with ClusterId, and LogFilePath for the step's Metadata (semantics 07 §7.3)."""
        step = self.request.step_config.hadoop_jar_step
        config: dict[str, Json] = {
            "Jar": step.jar,
            "Args": list(step.args),
            "Properties": {item.key: item.value for item in step.properties},
        }
        if step.main_class is not None:
            config["MainClass"] = step.main_class
        answer: dict[str, Json] = {
            "Id": self._id,
            "Name": self.job.name,
            "Config": config,
            "ActionOnFailure": self.request.step_config.action_on_failure,
            "Status": self._status(record),
            "ClusterId": self.cluster.id,
            "LogFilePath": str(self._log_path),
        }
        if self.request.execution_role_arn is not None:
            answer["ExecutionRoleArn"] = self.request.execution_role_arn
        return answer

    def _status(self, record: _Record) -> JsonObject:
        moments = {
            "CreationDateTime": record.created,
            "StartDateTime": record.started,
            "EndDateTime": record.ended,
        }
        status: dict[str, Json] = {
            "State": record.state,
            "StateChangeReason": {},
            "Timeline": {name: iso(moment) for name, moment in moments.items() if moment is not None},
        }
        if record.failure is not None:
            status["StateChangeReason"] = {"Message": record.failure.message}
            status["FailureDetails"] = {
                "Reason": "Unknown Error.",
                "Message": record.failure.message,
                "LogFile": str(self._log_path),
            }
        return status
