"""What a QualityCheck or ClarifyCheck step asks for, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagelocal.definition.steps import StepType
from sagelocal.expressions import render
from sagelocal.jobs import Job
from sagelocal.nearest import did_you_mean, listed
from sagelocal_executors.faults import client_error
from sagelocal_executors.requests import ProcessingRequest, parse_processing

STATISTICS, CONSTRAINTS = "Statistics", "Constraints"
"""The files that a baseline consists of, as the names of properties end; ClarifyCheck has only the second."""

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CheckKind:
    """What tells the two kinds of check steps apart.

    Attributes:
        word: how the service's texts call it.
        output: the name of the output that holds the results (semantics 02 §2.11).
        files: per file of a baseline, its name below that output.
        registered: per CheckType and file, where DriftCheckBaselines of a model package has it.
    """

    word: str
    output: str
    files: Mapping[str, str]
    registered: Mapping[str, Mapping[str, _Place]]


KINDS: Mapping[StepType, CheckKind] = {
    StepType.QUALITY_CHECK: CheckKind(
        "Quality",
        "quality_check_output",
        {STATISTICS: "statistics.json", CONSTRAINTS: "constraints.json"},
        {
            "DATA_QUALITY": {
                STATISTICS: ("ModelDataQuality", "Statistics"),
                CONSTRAINTS: ("ModelDataQuality", "Constraints"),
            },
            "MODEL_QUALITY": {
                STATISTICS: ("ModelQuality", "Statistics"),
                CONSTRAINTS: ("ModelQuality", "Constraints"),
            },
        },
    ),
    StepType.CLARIFY_CHECK: CheckKind(
        "Clarify",
        "analysis_result",
        {CONSTRAINTS: "analysis.json"},
        {
            "DATA_BIAS": {CONSTRAINTS: ("Bias", "PreTrainingConstraints")},
            "MODEL_BIAS": {CONSTRAINTS: ("Bias", "PostTrainingConstraints")},
            "MODEL_EXPLAINABILITY": {CONSTRAINTS: ("Explainability", "Constraints")},
        },
    ),
}


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """One check.

    Attributes:
        job: the request of its processing job, as it was given.
        group: the model package group whose latest approved package has the previous baseline; None: none is named.
        supplied: per file, the S3 URI of the previous baseline that the step itself names.
        model: the model that is asked for predictions; None: none is named.
        output: the S3 URI of the folder for the results, without a slash at its end.
    """

    kind: CheckKind
    job: ProcessingRequest
    check_type: str
    group: str | None
    skip: bool
    fail_on_violation: bool
    register: bool
    supplied: Mapping[str, str]
    model: str | None
    output: str

    @property
    def needs_previous(self) -> bool:
        """Whether a previous baseline is compared with, or is the step's property (semantics 08 §8.7)."""
        return not (self.skip and self.register)

    @property
    def calculated(self) -> Mapping[str, str]:
        """Per file, the S3 URI of the new baseline."""
        return {member: f"{self.output}/{file}" for member, file in self.kind.files.items()}

    @property
    def report(self) -> str:
        """The S3 URI of the report about violations."""
        return f"{self.output}/constraint_violations.json"


def parse_check(job: Job) -> CheckRequest:
    """Parse a check step.

    Raises:
        JobError: something in it is wrong; says which key, and how it should be.
    """
    kind = KINDS[job.kind]
    request = parse_processing(job.arguments)
    supplied = {member: _text(job, f"SuppliedBaseline{member}") for member in kind.files}
    return CheckRequest(
        kind=kind,
        job=request,
        check_type=_check_type(job, kind),
        group=_text(job, "ModelPackageGroupName"),
        skip=_flag(job, "SkipCheck", default=False),
        # The SDK writes null for its default, and then a violation fails the step (semantics 02 §2.11).
        fail_on_violation=_flag(job, "FailOnViolation", default=True),
        register=_flag(job, "RegisterNewBaseline", default=False),
        supplied={member: uri for member, uri in supplied.items() if uri is not None},
        model=_text(job, "ModelName"),
        output=_output(kind, request),
    )


def _check_type(job: Job, kind: CheckKind) -> str:
    value = _text(job, "CheckType") or ""
    if value not in kind.registered:
        hint = did_you_mean(value, kind.registered) or f"; it is one of {listed(kind.registered)}"
        raise client_error(f"CheckType {value!r} is none of a {job.kind} step{hint}")
    return value


def _flag(job: Job, key: str, *, default: bool) -> bool:
    """A Boolean, which a String parameter may give as text."""
    match job.extras.get(key):
        case None:
            return default
        case bool(value):
            return value
        case str(text) if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case other:
            raise client_error(f"{key} must be true or false, not {render(other)!r}")


def _text(job: Job, key: str) -> str | None:
    """A text that need not be given; a parameter's empty default counts as not given."""
    value = job.extras.get(key)
    return None if value is None else render(value) or None


def _output(kind: CheckKind, request: ProcessingRequest) -> str:
    """Where the results go: to the output of the fixed name, else to the first."""
    outputs = {item.output_name: item.s3_output for item in request.processing_output_config.outputs}
    places = {name: output.s3_uri for name, output in outputs.items() if output is not None}
    uri = places.get(kind.output) or next(iter(places.values()), None)
    if uri is None:
        raise client_error(
            f"the check's job needs an output {kind.output!r} with an S3Output for its results"
        )
    return uri.rstrip("/")
