"""What a step of EMR runs on a node of its cluster, as a command for this machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sagelocal_executors.emr.requests import ADD_STEPS, START_RUN, HadoopJarStep, JobDriver, refused
from sagelocal_executors.faults import UnsupportedError

STEP_FOLDER = "/opt/sagelocal/step"
"""Where the sandbox has the files that were fetched from S3 for the step, as EMR puts them on the primary node."""

_S3 = re.compile(r"s3[an]?://([^/]+)(?:/(.*))?", re.DOTALL)
_SUBMIT = "spark-submit"
_UNSUPPORTED = {
    "hadoop-streaming": "Hadoop streaming",
    "hadoop": "the hadoop command",
    "hdfs": "HDFS",
    "yarn": "YARN",
    "s3-dist-cp": "S3DistCp",
    "hive-script": "Hive",
    "hive": "Hive",
    "pig-script": "Pig",
    "pig": "Pig",
    "presto-cli": "Presto",
    "flink": "Flink",
    "state-pusher-script": "debugging of EMR 3",
}
_WAYS_OUT = "Only Spark and plain commands run locally: rewrite the step for spark-submit, or stub it"


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments.

    Attributes:
        program: found on the PATH of the sandbox, where spark-submit is the local one.
        fetched: S3 URI of each file that must lie in `STEP_FOLDER` before, by its name there.
        defaults: properties for Spark's defaults, from the configuration of the cluster or the job run.
        mentioned: the S3 URIs among the arguments.
    """

    program: tuple[str, ...]
    fetched: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def mentioned(self) -> tuple[str, ...]:
        found = (_S3.search(argument) for argument in self.program)
        uris = [f"s3://{match.group(1)}/{match.group(2) or ''}" for match in found if match]
        return (*uris, *self.fetched.values())


def step_command(step: HadoopJarStep, defaults: Mapping[str, str]) -> Command:
    """The command of an EMR step: what command-runner.jar or script-runner.jar is given, or the jar itself.

    Raises:
        JobError: nothing is given; UnsupportedError for what needs more of EMR than Spark.
    """
    name = PurePosixPath(step.jar).name
    if name == "command-runner.jar":
        return Command(_given(step, "the command"), defaults=defaults)
    if name == "script-runner.jar":
        return _script(_given(step, "the script"), defaults)
    if name.startswith("hadoop-streaming"):
        raise _unsupported("hadoop-streaming")
    fetched = _file(step.jar, "Jar")
    main = ("--class", step.main_class) if step.main_class else ()
    java = shlex.join(f"-D{item.key}={item.value}" for item in step.properties)
    options = (*main, *(("--driver-java-options", java) if java else ()))
    return Command((_SUBMIT, *options, f"{STEP_FOLDER}/{name}", *step.args), {name: fetched}, defaults)


def run_command(driver: JobDriver, defaults: Mapping[str, str]) -> Command:
    """The command of a job run of EMR Serverless.

    Raises:
        JobError: there is no sparkSubmit; UnsupportedError for a Hive query.
    """
    if driver.hive is not None:
        raise _unsupported("hive")
    submit = driver.spark_submit
    if submit is None:
        raise refused(START_RUN, "jobDriver: one of sparkSubmit or hive must be given")
    try:
        parameters = shlex.split(submit.spark_submit_parameters)
    except ValueError as error:
        raise refused(START_RUN, f"sparkSubmitParameters: {error}") from None
    name = PurePosixPath(submit.entry_point).name
    # spark-submit reads the main class from a jar's manifest only when the jar is a local file.
    fetched = {name: uri} if name.endswith(".jar") and (uri := _s3_uri(submit.entry_point)) else {}
    entry = f"{STEP_FOLDER}/{name}" if fetched else submit.entry_point
    return Command((_SUBMIT, *parameters, entry, *submit.entry_point_arguments), fetched, defaults)


def _given(step: HadoopJarStep, what: str) -> tuple[str, ...]:
    if not step.args:
        raise refused(ADD_STEPS, f"Args of {PurePosixPath(step.jar).name} must begin with {what} to run")
    if step.args[0] in _UNSUPPORTED:
        raise _unsupported(step.args[0])
    return step.args


def _script(arguments: tuple[str, ...], defaults: Mapping[str, str]) -> Command:
    script, *rest = arguments
    uri = _s3_uri(script)
    name = PurePosixPath(script).name
    path = f"{STEP_FOLDER}/{name}" if uri else script
    # Bash, as it plays a script without a #! line itself.
    return Command(("bash", "-c", 'exec "$0" "$@"', path, *rest), {name: uri} if uri else {}, defaults)


def _file(uri: str, member: str) -> str:
    """The S3 URI in a form that all of ours understands."""
    found = _s3_uri(uri)
    if found is None:
        raise UnsupportedError(
            f"{member} {uri!r} lies on the nodes of an EMR cluster, which are not there locally: "
            "put it into S3 and give its s3:// URI, or stub the step"
        )
    return found


def _s3_uri(text: str) -> str | None:
    match = _S3.fullmatch(text)
    return f"s3://{match.group(1)}/{match.group(2)}" if match and match.group(2) else None


def _unsupported(name: str) -> UnsupportedError:
    return UnsupportedError(f"{_UNSUPPORTED[name]} is not supported locally. {_WAYS_OUT}")
