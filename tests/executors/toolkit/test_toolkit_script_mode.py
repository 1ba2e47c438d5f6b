"""The toolkit runs a script as SageMaker's training toolkit does."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

NOWHERE = "http://127.0.0.1:9/"
"""An address where nothing listens: whoever needs a network fails."""

SHOW = "import json, os, sys; print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ), 'cwd': os.getcwd()}))"


def shown(answer: subprocess.CompletedProcess[str]) -> Any:
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def packed(files: dict[str, str]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return memory.getvalue()


@pytest.fixture(name="objects")
def _objects() -> Iterator[tuple[str, dict[str, bytes]]]:
    """An S3 endpoint of one's own: its URL, and a dict of path to content."""
    content: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = content.get(self.path.split("?")[0])
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def do_HEAD(self) -> None:
            found = content.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", content
        server.shutdown()


def test_hyperparameters_become_arguments_as_the_toolkit_writes_them(container: Any) -> None:
    container.script(
        SHOW, epochs="3", lr="0.10", name='"relu"', raw="text", flag="true", nothing="null", layers="[1, 2]", k="7",
        sagemaker_region='"us-east-1"', _tuning_objective_metric='"acc"',
    )  # fmt: skip

    arguments = shown(container.run("sklearn"))["argv"]

    assert arguments == [
        "--epochs", "3", "--flag", "True", "-k", "7", "--layers", "[1, 2]", "--lr", "0.1", "--name", "relu",
        "--nothing", "", "--raw", "text",
    ]  # fmt: skip


def test_sm_variables_tell_the_script_all_about_its_job(container: Any) -> None:
    container.script(
        SHOW, **{"batch-size": "64", "sagemaker_container_log_level": "10", "sagemaker_estimator": '"x"'}
    )
    container.config("inputdataconfig.json", {"train": {"TrainingInputMode": "File"}, "test": {}})
    group = {"instance_group_name": "big", "instance_type": "ml.m5.xlarge", "hosts": ["algo-1", "algo-2"]}
    resources = {
        "current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "current_instance_type": "ml.m5.xlarge",
        "current_group_name": "big", "instance_groups": [group], "network_interface_name": "eth1",
    }  # fmt: skip
    container.config("resourceconfig.json", resources)
    root = str(container.root)

    env = shown(container.run("sklearn", TRAINING_JOB_NAME="job-1"))["env"]

    assert {
        name: env[f"SM_{name}"]
        for name in ("MODEL_DIR", "OUTPUT_DATA_DIR", "CHANNEL_TRAIN", "INPUT_CONFIG_DIR")
    } == {
        "MODEL_DIR": f"{root}/model",
        "OUTPUT_DATA_DIR": f"{root}/output/data",
        "CHANNEL_TRAIN": f"{root}/input/data/train",
        "INPUT_CONFIG_DIR": f"{root}/input/config",
    }
    assert json.loads(env["SM_CHANNELS"]) == ["test", "train"]
    assert json.loads(env["SM_HPS"]) == {"batch-size": 64}
    assert env["SM_HP_BATCH-SIZE"] == "64"
    assert json.loads(env["SM_FRAMEWORK_PARAMS"]) == {"sagemaker_estimator": "x"}
    assert json.loads(env["SM_USER_ARGS"]) == ["--batch-size", "64"]
    assert json.loads(env["SM_HOSTS"]) == ["algo-1", "algo-2"]
    assert json.loads(env["SM_RESOURCE_CONFIG"]) == resources
    assert (env["SM_CURRENT_HOST"], env["SM_CURRENT_INSTANCE_TYPE"]) == ("algo-2", "ml.m5.xlarge")
    assert (env["SM_CURRENT_INSTANCE_GROUP"], json.loads(env["SM_INSTANCE_GROUPS"])) == ("big", ["big"])
    assert (env["SM_NETWORK_INTERFACE_NAME"], env["SM_LOG_LEVEL"]) == ("eth1", "10")
    assert (env["SM_USER_ENTRY_POINT"], env["SM_MODULE_NAME"], env["SM_FRAMEWORK_MODULE"]) == (
        "train.py",
        "train",
        "",
    )
    training = json.loads(env["SM_TRAINING_ENV"])
    assert training["channel_input_dirs"] == {name: f"{root}/input/data/{name}" for name in ("test", "train")}
    assert (training["hyperparameters"], training["job_name"]) == ({"batch-size": 64}, "job-1")
    assert (training["is_master"], training["master_hostname"]) == (False, "algo-1")


@pytest.mark.parametrize("with_boto3", [True, False])
def test_code_comes_from_the_submit_directory_in_s3(
    container: Any, objects: tuple[str, dict[str, bytes]], tmp_path: Path, *, with_boto3: bool
) -> None:
    url, content = objects
    content["/bucket/code/sourcedir.tar.gz"] = packed(
        {"train.py": "import lib.own; " + SHOW, "lib/own.py": ""}
    )
    container.hyperparameters(
        sagemaker_program='"train.py"', sagemaker_submit_directory='"s3://bucket/code/sourcedir.tar.gz"'
    )
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }
    if not with_boto3:
        (tmp_path / "boto3.py").write_text("raise ImportError")
        environment["PYTHONPATH"] = str(tmp_path)

    answer = shown(container.run("sklearn", **environment))

    assert answer["cwd"] == str(container.root / "code")
    assert answer["env"]["SM_MODULE_DIR"] == "s3://bucket/code/sourcedir.tar.gz"


def test_an_archive_that_would_leave_its_folder_is_refused(container: Any, tmp_path: Path) -> None:
    archive = tmp_path / "sourcedir.tar.gz"
    archive.write_bytes(packed({"train.py": "", "../../escaped.txt": "x"}))
    container.hyperparameters(
        sagemaker_program='"train.py"', sagemaker_submit_directory=json.dumps(str(archive))
    )

    answer = container.run("sklearn")

    assert answer.returncode == 1
    assert "escaped.txt" in container.failure
    assert "outside the destination" in container.failure
    assert not (tmp_path / "escaped.txt").exists()


def test_a_missing_archive_is_a_failure_that_names_it(
    container: Any, objects: tuple[str, dict[str, bytes]]
) -> None:
    container.hyperparameters(
        sagemaker_program='"train.py"', sagemaker_submit_directory='"s3://bucket/none.tar.gz"'
    )

    answer = container.run(
        "sklearn",
        AWS_ENDPOINT_URL=objects[0],
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_REGION="us-east-1",
    )

    assert answer.returncode == 1
    assert "cannot fetch s3://bucket/none.tar.gz" in container.failure


def test_a_failing_script_leaves_its_exception_and_its_exit_code(container: Any) -> None:
    container.script(
        "import sys\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('no data\\nat all')"
    )

    answer = container.run("sklearn")

    assert answer.returncode == 1
    assert container.failure.startswith(
        'ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: no data\nat all"\n'
    )
    assert "Traceback" in answer.stderr


def test_any_exit_code_is_kept_and_a_signal_becomes_a_shells_code(container: Any) -> None:
    container.script("import sys; print('gone wrong', file=sys.stderr); sys.exit(17)")
    assert container.run("generic").returncode == 17
    assert 'ErrorMessage "gone wrong"' in container.failure

    container.script("import os; os.kill(os.getpid(), 9)")
    assert container.run("generic").returncode == 137


def test_a_failure_file_of_the_script_is_left_alone(container: Any) -> None:
    container.script(
        "import os, sys; open(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('mine'); sys.exit(3)"
    )

    assert container.run("sklearn").returncode == 3
    assert container.failure == "mine"


def test_a_script_that_is_not_there_is_named_with_what_is(container: Any) -> None:
    container.write("code/other.py", "")
    container.hyperparameters(sagemaker_program='"train.py"')

    assert container.run("sklearn").returncode == 1
    assert (
        container.failure == "sagemaker_program: there is no 'train.py' in the code folder; it has: other.py"
    )


def test_a_shell_script_gets_hyperparameters_in_variables_and_arguments(container: Any) -> None:
    container.write("code/go.sh", '\n#!/bin/bash\necho "$SM_HP_DEPTH $# $2"\n')
    container.write("code/requirements.txt", "no-such-package-anywhere\n")  # not installed for shell scripts
    container.hyperparameters(sagemaker_program='"go.sh"', depth='"a b"', none="null")

    answer = container.run("sklearn", PIP_INDEX_URL=NOWHERE)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "a b 4 a b"


def test_satisfied_requirements_need_no_network(container: Any) -> None:
    container.script(SHOW)
    container.write("code/requirements.txt", "pandas>=2\nscikit-learn\n")

    answer = container.run("sklearn", PIP_INDEX_URL=NOWHERE, PIP_RETRIES="0")

    assert "packages-" not in shown(answer)["env"]["PYTHONPATH"]
    assert "-m pip" not in answer.stdout


def test_missing_requirements_are_installed_for_this_job_alone(container: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "sagelocal_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("sagelocal_probe.py", "WORD = 'here'")
        file.writestr(
            "sagelocal_probe-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: sagelocal-probe\nVersion: 1.0\n",
        )
        file.writestr(
            "sagelocal_probe-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("sagelocal_probe-1.0.dist-info/RECORD", "")
    container.script("import sagelocal_probe; print(sagelocal_probe.WORD, sagelocal_probe.__file__)")
    container.write("code/requirements.txt", "sagelocal-probe\n")

    answer = container.run("sklearn", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), TMPDIR=str(tmp_path))

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1].startswith(f"here {tmp_path}/packages-")


def test_requirements_out_of_reach_say_what_to_do(container: Any) -> None:
    container.script(SHOW)
    container.write("code/requirements.txt", "sagelocal-probe-of-nobody\n")

    answer = container.run("sklearn", PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null")

    assert answer.returncode == 1
    assert "No matching distribution found for sagelocal-probe-of-nobody" in container.failure
    assert "install its packages into the interpreter or image" in container.failure


def test_sigterm_reaches_the_script(container: Any) -> None:
    container.script(
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\nprint('ready', flush=True)\nsignal.pause()"
    )
    with subprocess.Popen(
        container.command("sklearn"),
        env=container.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 5


def test_without_a_program_or_algorithm_the_ways_out_are_told(container: Any) -> None:
    container.hyperparameters()

    assert container.run("sklearn").returncode == 1
    assert "name no sagemaker_program" in container.failure
    assert "ContainerEntrypoint" in container.failure


def test_arguments_without_an_entrypoint_are_the_command(container: Any) -> None:
    command = [*container.command("generic", "process"), sys.executable, "-c", "print('ran')"]
    done = subprocess.run(command, env=container.environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "ran\n"

    command = [*container.command("generic", "process"), "--rows", "3"]
    done = subprocess.run(command, env=container.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "no program '--rows'" in container.failure
