"""The spark-submit that jobs find: the real one, without what only a cluster understands."""

from __future__ import annotations

import os
import sys

# Runs alone in a sandbox, by whatever interpreter the job has: nothing of ours may be imported here.

_CLUSTER_OPTIONS = {"--master", "--deploy-mode", "--queue", "--num-executors", "--principal", "--keytab"}
_FLAGS = {"--verbose", "-v", "--supervise", "--help", "-h", "--version"}
_CLUSTER_PROPERTIES = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.yarn.",
    "spark.kubernetes.",
    "spark.emr-serverless.",
    "spark.dynamicAllocation.",
    "spark.shuffle.service.",
    "spark.driver.host",
    "spark.driver.bindAddress",
    "spark.hadoop.fs.s3",
    "spark.hadoop.mapreduce.fileoutputcommitter.",
    "spark.sql.parquet.output.committer.class",
    "spark.sql.sources.commitProtocolClass",
    "spark.driver.extraClassPath",
    "spark.driver.extraLibraryPath",
    "spark.executor.extraClassPath",
    "spark.executor.extraLibraryPath",
)
"""Beginnings of properties that name what EMR has and this machine has not: YARN, EMRFS, paths on the nodes."""


def is_cluster_property(name: str) -> bool:
    """Whether the property means a cluster; a local Spark must not see it."""
    return name.startswith(_CLUSTER_PROPERTIES)


def localized(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments of spark-submit for this machine, and those left out; the program's own are never touched."""
    kept: list[str] = []
    left: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        name, equals, value = option.partition("=")
        words = [option] if equals or name in _FLAGS else [option, *rest[:1]]
        del rest[: len(words) - 1]
        value = value if equals else words[-1]
        (left if _means_a_cluster(name, value) else kept).extend(words)
    return kept + rest, left


def _means_a_cluster(option: str, value: str) -> bool:
    return option in _CLUSTER_OPTIONS or (option in {"--conf", "-c"} and is_cluster_property(value))


def main() -> None:
    arguments, left = localized(sys.argv[1:])
    if left:
        sys.stdout.write(f"[sagelocal] Spark runs on this machine, without {' '.join(left)}\n")
        sys.stdout.flush()
    program = os.path.join(os.environ["SPARK_HOME"], "bin", "spark-submit")  # noqa: PTH118 (for a quick start)
    os.execv(program, [program, *arguments])  # noqa: S606 (that is the point)


if __name__ == "__main__":
    main()
