"""The SM_* variables that a training script finds (toolkit's ENVIRONMENT_VARIABLES.md, semantics 08 §8.2)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from ml_contract import CODE, CONFIG, DATA, INPUT, MODEL, OUTPUT, OUTPUT_DATA, OUTPUT_INTERMEDIATE

_GROUP = "homogeneousCluster"  # the platform's name when the job declares no instance groups


@dataclass(frozen=True)
class Job:
    """What the platform and the author say about one training job.

    Attributes:
        hyperparameters: of the author's program, decoded.
        framework: the other ``sagemaker_…`` hyperparameters, for the framework's eyes.
        resources: ``resourceconfig.json``.
        channels: ``inputdataconfig.json``.
        program: the entry point, a file below the code folder.
        module_dir: where the code came from.
        log_level: a number of Python's logging.
        arguments: the program's command line.
    """

    hyperparameters: dict[str, Any]
    framework: dict[str, Any]
    resources: dict[str, Any]
    channels: dict[str, Any]
    program: str
    module_dir: str = str(CODE)
    log_level: int = 20
    arguments: tuple[str, ...] = ()


def variables(job: Job) -> dict[str, str]:
    """All of them, as text: strings as they are, None as nothing, everything else as JSON."""
    facts = {**_machine(job), **_folders(job), **_program(job)}
    facts.update(training_env=_training_env(job, facts))
    facts.update({f"channel_{name}": str(DATA / name) for name in job.channels})
    facts.update({f"hp_{name}": value for name, value in job.hyperparameters.items()})
    return {f"SM_{name.upper()}": _text(value) for name, value in facts.items()}


def _machine(job: Job) -> dict[str, Any]:
    hosts = job.resources.get("hosts") or ["algo-1"]
    group = job.resources.get("current_group_name", _GROUP)
    kind = job.resources.get("current_instance_type", "local")
    groups = job.resources.get("instance_groups") or [
        {"instance_group_name": group, "instance_type": kind, "hosts": hosts}
    ]
    by_name = {each["instance_group_name"]: each for each in groups}
    return {
        "hosts": hosts,
        "current_host": job.resources.get("current_host", hosts[0]),
        "current_instance_type": kind,
        "current_instance_group": group,
        "current_instance_group_hosts": by_name.get(group, {}).get("hosts", []),
        "instance_groups": list(by_name),
        "instance_groups_dict": by_name,
        "distribution_instance_groups": [],
        "is_hetero": len(by_name) > 1,
        "network_interface_name": job.resources.get("network_interface_name", "eth0"),
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": _gpus(),
        "num_neurons": 0,
    }


def _folders(job: Job) -> dict[str, Any]:
    return {
        "model_dir": str(MODEL),
        "input_dir": str(INPUT),
        "input_config_dir": str(CONFIG),
        "output_dir": str(OUTPUT),
        "output_data_dir": str(OUTPUT_DATA),
        "output_intermediate_dir": str(OUTPUT_INTERMEDIATE),
        "module_dir": job.module_dir,
        "channels": sorted(job.channels),
    }


def _program(job: Job) -> dict[str, Any]:
    return {
        "hps": job.hyperparameters,
        "framework_params": job.framework,
        "resource_config": job.resources,
        "input_data_config": job.channels,
        "user_entry_point": job.program,
        "module_name": module_name(job.program),
        "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE"),
        "log_level": job.log_level,
        "user_args": list(job.arguments),
    }


def module_name(program: str) -> str:
    """How Python calls a file: without its suffix."""
    return re.sub(r"\.py$", "", program)


def _training_env(job: Job, facts: dict[str, Any]) -> dict[str, Any]:
    """The same once more as one object, under the names that the toolkit's Environment has."""
    renamed = {"hps": "hyperparameters", "framework_params": "additional_framework_parameters"}
    left_out = {"channels", "user_args"}
    return {
        **{renamed.get(name, name): value for name, value in facts.items() if name not in left_out},
        "channel_input_dirs": {name: str(DATA / name) for name in job.channels},
        "distribution_hosts": facts["hosts"],
        "is_master": facts["current_host"] == facts["hosts"][0],
        "master_hostname": facts["hosts"][0],
        "job_name": os.environ.get("TRAINING_JOB_NAME"),
    }


def _gpus() -> int:
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(line.startswith("GPU ") for line in listing.splitlines())


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
