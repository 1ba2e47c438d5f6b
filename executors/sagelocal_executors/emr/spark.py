"""The Spark of this machine: where it is, and how it is told to find the buckets."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from sagelocal_executors.emr.submit import is_cluster_property

BUCKETS = "/opt/sagelocal/s3"
"""Where the sandbox has the buckets, as folders."""
CONFIGURATION = "/opt/sagelocal/spark"
"""Where it has the files of `configuration`."""

_PORTRAIT = """
import importlib.metadata, importlib.util, json
spec = importlib.util.find_spec("pyspark")
print(json.dumps(spec and [importlib.metadata.version("pyspark"), list(spec.submodule_search_locations)[0]]))
"""
_SCHEMES = ("s3", "s3a", "s3n")
# Hadoop's own default for s3a is a class of hadoop-aws.
_COMMITTER = "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
_OURS = {
    "spark.master": "local[*]",
    "spark.submit.deployMode": "client",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_LOGGING = r"""rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.scheduler.name = org.apache.spark.scheduler.DAGScheduler
logger.scheduler.level = info
logger.scheduler.filter.noise.type = RegexFilter
logger.scheduler.filter.noise.regex = (Final stage|Parents of|Missing|Submitting|Registering|looking|running:|waiting:|failed:|Job \\d+ is|Asked to|Shuffle files lost).*
logger.scheduler.filter.noise.onMatch = DENY
logger.scheduler.filter.noise.onMismatch = NEUTRAL
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""
"""Warnings, and as progress which of the program's Spark jobs has begun and which stage or job has ended."""


@dataclass(frozen=True, slots=True)
class Spark:
    """A pyspark that brings Spark along: its version, and the folder of the package."""

    version: str
    home: Path


async def find_spark(python: Path) -> Spark | None:
    """The Spark in this interpreter's packages; None when there is none, or the interpreter does not run."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(python), "-c", _PORTRAIT),
            cwd="/",
            env={"HOME": os.environ.get("HOME", "/"), "PATH": os.defpath},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        version, home = json.loads(output)
    except (OSError, ValueError, TypeError):  # TypeError: null, there is no pyspark
        return None
    # pyspark-client is a pyspark without a Spark.
    return Spark(version, Path(home)) if (Path(home) / "jars").is_dir() else None


def find_java(environ: Mapping[str, str] | None = None) -> Path | None:
    """The folder of the Java runtime, JAVA_HOME or that of ``java`` on the PATH; None when there is none."""
    environ = os.environ if environ is None else environ
    named = environ.get("JAVA_HOME")
    if named and (Path(named) / "bin" / "java").exists():
        return Path(named)
    found = shutil.which("java", path=environ.get("PATH"))
    return Path(found).resolve().parent.parent if found else None


def environment(spark: Spark, java: Path, python: Path) -> dict[str, str]:
    """The variables by which Spark and the programs that use it find one another."""
    return {
        "SPARK_HOME": str(spark.home),
        "SPARK_CONF_DIR": CONFIGURATION,
        "HADOOP_CONF_DIR": CONFIGURATION,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_HOME": str(java),
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
    }


def configuration(buckets: Iterable[str], defaults: Mapping[str, str]) -> dict[str, str]:
    """The files of Spark's and Hadoop's configuration folder, by name."""
    given = {name: value for name, value in defaults.items() if not is_cluster_property(name)}
    lines = [f"{name} {value}" for name, value in {**given, **_OURS}.items()]
    return {
        "spark-defaults.conf": "\n".join([*lines, ""]),
        "core-site.xml": _site(_file_systems(buckets)),
        "mapred-site.xml": _site(
            {f"mapreduce.outputcommitter.factory.scheme.{scheme}": _COMMITTER for scheme in _SCHEMES}
        ),
        "log4j2.properties": _LOGGING,
    }


def _file_systems(buckets: Iterable[str]) -> dict[str, str]:
    """Hadoop's file systems: ``s3://bucket`` is a mount table with one entry, for the bucket's folder.

    ViewFileSystemOverloadScheme is part of Hadoop's client, so this works without hadoop-aws. Its linkMergeSlash
    would say the same, but gives wrong paths when a folder is listed. The target has a scheme of its own, to which
    the raw local file system answers: the usual one leaves a .crc file beside each object.
    """
    overload = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    properties = {f"fs.{scheme}.impl": overload for scheme in _SCHEMES}
    properties["fs.sagelocal.impl"] = "org.apache.hadoop.fs.RawLocalFileSystem"
    for bucket in buckets:
        properties[f"fs.viewfs.mounttable.{bucket}.linkFallback"] = f"sagelocal://{BUCKETS}/{bucket}"
    return properties


def _site(properties: Mapping[str, str]) -> str:
    rows = [
        f"<property><name>{escape(name)}</name><value>{escape(value)}</value></property>"
        for name, value in properties.items()
    ]
    return "\n".join(["<configuration>", *rows, "</configuration>", ""])
