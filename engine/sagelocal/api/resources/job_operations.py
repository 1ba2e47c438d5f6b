"""Operations on jobs, which are alike for every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.named import Refusal, tag
from sagelocal.cloud.job_records import UNDER_WAY, JobKind
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

_FULL: Final = "The account-level service limit for jobs that run at once is exceeded: wait until some of them have ended."


@dataclass(frozen=True, slots=True)
class JobOperations:
    """The operations on one kind of job.

    Attributes:
        job: the kind.
        word: for it in texts of the service.
        absent: when there is no job of a name; these errors are as the service gives them, which differ from their documentation.
        taken: when there is one already.
        listing: of its List operation.
    """

    job: JobKind
    word: str
    absent: Refusal
    taken: Refusal
    listing: Listing

    def table(self) -> dict[str, Operation]:
        noun = self.job.noun
        return {
            f"Create{noun}": self.create,
            f"Describe{noun}": self.describe,
            f"List{noun}s": self.list_jobs,
            f"Stop{noun}": self.stop,
        }

    def arn(self, engine: Engine, name: str) -> str:
        return engine.partition.arn(f"{self.job.kind}/{name}")

    async def create(self, engine: Engine, request: Request) -> JsonObject:
        """Create<Job>: it runs as the job of a step does."""
        name = request[self.job.name]
        arn = self.arn(engine, name)
        if engine.jobs.known(self.job, name):
            raise self.taken.of(name, arn)
        if engine.jobs.full:
            raise ApiError("ResourceLimitExceeded", _FULL)
        arguments = {key: value for key, value in request.items() if key != self.job.name}
        await engine.jobs.create(self.job, name, arguments)
        tag(engine, arn, request)
        return {self.job.arn: arn}

    def describe(self, engine: Engine, request: Request) -> JsonObject:
        """Describe<Job>."""
        return described(f"Describe{self.job.noun}", self.record(engine, request[self.job.name]))

    def record(self, engine: Engine, name: str) -> JsonObject:
        """The record of a job as it is now.

        Raises:
            ApiError: there is none of that name.
        """
        entity = engine.catalog.get(self.job.kind, name)
        if entity is None:
            raise self.absent.of(name, self.arn(engine, name))
        return self._now(engine, name, entity.describe)

    def records(self, engine: Engine) -> list[JsonObject]:
        """The records of all jobs as they are now."""
        return [
            self._now(engine, entity.name, entity.describe) for entity in engine.catalog.list(self.job.kind)
        ]

    def _now(self, engine: Engine, name: str, record: JsonObject) -> JsonObject:
        # A tuning job, for one, goes on recording that it is in progress while its last training jobs stop.
        stopping = record[self.job.status] == "InProgress" and engine.jobs.stopping(self.job, name)
        return self.job.stopping(record, engine.clock.now()) if stopping else record

    def list_jobs(self, engine: Engine, request: Request) -> JsonObject:
        """List<Job>s."""
        return self.listing.answer(request, self.records(engine))

    def stop(self, engine: Engine, request: Request) -> JsonObject:
        """Stop<Job>; the step that has created it fails (semantics 13, U17)."""
        name = request[self.job.name]
        status = self.record(engine, name)[self.job.status]
        if status != "InProgress":
            message = f"The request was rejected because the {self.word} is in status {status}."
            raise ApiError("ValidationException", message)
        if not engine.jobs.stop(self.job, name):
            message = (
                f"The {self.word} {name} cannot be stopped by itself: another job, or another sagelocal, has started it, "
                "or its sagelocal was ended."
            )
            raise ApiError("ValidationException", message)
        return {}

    def delete(self, engine: Engine, request: Request) -> JsonObject:
        """Delete<Job>; its name is free again."""
        name = request[self.job.name]
        record = self.record(engine, name)
        if record[self.job.status] in UNDER_WAY:
            message = f"The {self.word} {name} is in status {record[self.job.status]}: stop it before."
            raise ApiError("ResourceInUse", message)
        engine.catalog.delete(self.job.kind, name)
        engine.tags.forget(str(record[self.job.arn]))
        return {}
