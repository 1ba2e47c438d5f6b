"""How executors say that a job cannot go on."""

from __future__ import annotations

from pydantic import ValidationError


class JobError(Exception):
    """The job at hand fails; raised where it is noticed, turned into a `Failed` where the job is run.

    Attributes:
        reason: the job's FailureReason, beginning with its class.
        error: the class that retry policies look at, as in `sagelocal.jobs.Failed`.
        message: the job's ExitMessage; None when it left none.
    """

    def __init__(self, reason: str, error: str = "ClientError", message: str | None = None) -> None:
        self.reason = reason
        self.error = error
        self.message = message
        super().__init__(reason)


class UnsupportedError(JobError):
    """Right for SageMaker, but beyond this machine; of no matter to a step that a stub plays."""

    def __init__(self, text: str) -> None:
        super().__init__(f"ClientError: {text}")


def client_error(text: str) -> JobError:
    """What the author of the pipeline can mend."""
    return JobError(f"ClientError: {text}")


def rejected(operation: str, text: str) -> JobError:
    """A Create operation that does not accept its request (semantics 05 §5.5)."""
    return client_error(f"Failed to invoke sagemaker:{operation}. Error Details: {text}")


def ill_formed(operation: str, error: ValidationError) -> JobError:
    """A request that does not have the operation's shape; names each member concerned."""
    details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return rejected(operation, details)


def step_reason(reason: str) -> str:
    """The step's FailureReason for that of its job: ``ClientError: AlgorithmError: …`` (semantics 05 §5.5)."""
    return reason if reason.startswith("ClientError: ") else f"ClientError: {reason}"
