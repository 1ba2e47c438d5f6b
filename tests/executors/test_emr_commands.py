"""What EMR steps run, and what spark-submit is not told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagelocal_executors.emr.commands import STEP_FOLDER, Command, run_command, step_command
from sagelocal_executors.emr.requests import HadoopJarStep, JobDriver, spark_defaults
from sagelocal_executors.emr.spark import configuration, find_java
from sagelocal_executors.emr.submit import localized
from sagelocal_executors.faults import JobError, UnsupportedError


def command(jar: str, *args: str, **more: Any) -> Command:
    return step_command(HadoopJarStep.model_validate({"Jar": jar, "Args": args, **more}), {})


def driver(**submit: Any) -> Command:
    return run_command(JobDriver.model_validate({"sparkSubmit": submit}), {})


def test_command_runner_runs_its_arguments() -> None:
    found = command("command-runner.jar", "spark-submit", "s3a://b/app.py", "--output=s3://c/o")

    assert found.program == ("spark-submit", "s3a://b/app.py", "--output=s3://c/o")
    assert found.mentioned == ("s3://b/app.py", "s3://c/o")


def test_script_runner_fetches_its_script() -> None:
    found = command(
        "s3://us-west-2.elasticmapreduce/libs/script-runner/script-runner.jar", "s3://b/x/run.sh", "1"
    )

    assert found.fetched == {"run.sh": "s3://b/x/run.sh"}
    assert found.program[-2:] == (f"{STEP_FOLDER}/run.sh", "1")


@pytest.mark.parametrize("name", ["app.jar", "app.py"])
def test_a_file_of_its_own_is_fetched_and_submitted(name: str) -> None:
    found = command(f"s3n://b/{name}", "x", MainClass="M", Properties=[{"key": "k", "value": "a b"}])

    java = ("--driver-java-options", "'-Dk=a b'")
    assert found.program == ("spark-submit", "--class", "M", *java, f"{STEP_FOLDER}/{name}", "x")
    assert found.fetched == {name: f"s3://b/{name}"}


@pytest.mark.parametrize(
    ("jar", "args", "told"),
    [
        ("command-runner.jar", ["hadoop-streaming", "-files"], "Hadoop streaming is not supported"),
        ("/usr/lib/hadoop/hadoop-streaming.jar", [], "Hadoop streaming is not supported"),
        ("command-runner.jar", ["s3-dist-cp", "--src=s3://a"], "S3DistCp is not supported"),
        ("/usr/lib/spark/own.jar", [], "lies on the nodes of an EMR cluster"),
    ],
)
def test_what_needs_more_of_emr_is_said_to_be_unsupported(jar: str, args: list[str], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        command(jar, *args)


def test_a_runner_without_arguments_is_refused() -> None:
    with pytest.raises(JobError, match="must begin with the command"):
        command("command-runner.jar")


def test_a_job_run_submits_its_entry_point() -> None:
    found = driver(
        entryPoint="s3://b/app.jar",
        entryPointArguments=["--n", 1],
        sparkSubmitParameters="--class M --conf 'a=b c'",
    )

    assert found.program == (
        *("spark-submit", "--class", "M", "--conf", "a=b c"),
        *(f"{STEP_FOLDER}/app.jar", "--n", "1"),
    )
    assert found.fetched == {"app.jar": "s3://b/app.jar"}
    assert driver(entryPoint="s3://b/app.py").program == ("spark-submit", "s3://b/app.py")


def test_a_hive_query_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="Hive is not supported locally"):
        run_command(JobDriver.model_validate({"hive": {"query": "s3://b/q.sql"}}), {})


def test_spark_is_not_told_of_a_cluster_and_the_program_keeps_its_arguments() -> None:
    kept, left = localized(
        [
            *("--master", "yarn", "--deploy-mode=cluster", "--verbose", "--py-files", "s3://b/lib.zip"),
            *("--conf", "spark.yarn.maxAppAttempts=1", "--conf", "spark.sql.shuffle.partitions=2"),
            *("--name", "n", "s3://b/app.py", "--master", "mine", "--conf"),
        ]
    )

    assert left == ["--master", "yarn", "--deploy-mode=cluster", "--conf", "spark.yarn.maxAppAttempts=1"]
    assert kept == [
        *("--verbose", "--py-files", "s3://b/lib.zip", "--conf", "spark.sql.shuffle.partitions=2"),
        *("--name", "n", "s3://b/app.py", "--master", "mine", "--conf"),
    ]


def test_sparks_defaults_are_those_of_the_cluster_below_our_own() -> None:
    emr = [{"Classification": "spark-defaults", "Properties": {"spark.master": "yarn", "spark.a": 1}}]
    serverless = [{"classification": "spark-defaults", "properties": {"spark.b": "2"}}]
    given = spark_defaults(emr) | spark_defaults(serverless) | spark_defaults(None)
    lines = configuration([], given)["spark-defaults.conf"].splitlines()

    assert given == {"spark.master": "yarn", "spark.a": "1", "spark.b": "2"}
    assert {"spark.a 1", "spark.b 2", "spark.master local[*]"} <= set(lines)
    assert "spark.master yarn" not in lines


def test_java_is_found_by_java_home_or_on_the_path(tmp_path: Path) -> None:
    program = tmp_path / "jdk" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_java({"JAVA_HOME": str(tmp_path / "jdk")}) == tmp_path / "jdk"
    assert find_java({"JAVA_HOME": "/nonexistent", "PATH": str(program.parent)}) == tmp_path / "jdk"
    assert find_java({"PATH": str(tmp_path)}) is None
