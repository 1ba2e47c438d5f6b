"""The toolkit finds a model's script, wherever it lies, and says what is wrong with it."""

from __future__ import annotations

import functools
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CSV, NPY = "text/csv", "application/x-npy"
MIRROR = """
import json
def model_fn(model_dir): return model_dir
def input_fn(body, content_type): return [type(body).__name__, content_type, len(body)]
def predict_fn(data, model): return data
def output_fn(prediction, accept): return json.dumps([*prediction, accept])
"""


def packed(folder: Path, files: dict[str, str]) -> Path:
    archive = folder / "sourcedir.tar.gz"
    with tarfile.open(archive, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="s3")
def _s3(tmp_path: Path) -> Iterator[str]:
    """A folder of buckets behind HTTP, which is all of S3 that a download needs."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "source", ["s3://bucket/sourcedir.tar.gz", "{folder}/sourcedir.tar.gz", "file://{folder}/code"]
)
def test_code_comes_from_where_the_submit_directory_says(
    container: Any, serve: Any, s3: str, tmp_path: Path, source: str
) -> None:
    files = {"own.py": "import lib_of_own\n" + MIRROR, "lib_of_own.py": ""}
    folder = tmp_path / "bucket"
    (folder / "code").mkdir(parents=True)
    packed(folder, files)
    for name, text in files.items():
        (folder / "code" / name).write_text(text)

    serving = serve(
        "sklearn",
        SAGEMAKER_PROGRAM="own.py",
        SAGEMAKER_SUBMIT_DIRECTORY=source.format(folder=folder),
        AWS_ENDPOINT_URL=s3,
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_REGION="us-east-1",
    )

    assert serving.predicted("ab", CSV, CSV) == '["str", "text/csv", 2, "text/csv"]'


@pytest.mark.parametrize(
    ("program", "file"),
    [
        ("inference", "inference.py"),
        ("parts.own", "parts/own.py"),
        ("pack", "pack/__init__.py"),
        ("", "inference.py"),
    ],
)
def test_a_program_is_a_module_however_it_is_written(
    container: Any, serve: Any, program: str, file: str
) -> None:
    container.write(f"model/code/{file}", MIRROR)
    container.write("model/code/parts/unused.py", "")

    serving = serve("generic", SAGEMAKER_PROGRAM=program, SAGEMAKER_SUBMIT_DIRECTORY="")

    assert serving.predicted("ab", CSV, CSV).startswith('["str"')


def test_an_authors_modules_may_bear_the_names_of_the_toolkits(container: Any, serve: Any) -> None:
    container.write("model/code/serving.py", "import main, ml_contract\n" + MIRROR)
    container.write("model/code/main.py", "")
    container.write("model/code/ml_contract.py", "")
    container.write("model/code/lib/families.py", "")
    container.write("model/code/codecs.py", "raise ImportError('shadows the standard library')")

    serving = serve("sklearn", SAGEMAKER_PROGRAM="serving.py")

    assert serving.predicted("ab", CSV, CSV).startswith('["str"')
    assert serving.predicted("ab", NPY, CSV).startswith('["bytes"')


def test_a_model_gets_the_packages_that_its_requirements_name(
    container: Any, serve: Any, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "sagelocal_probe-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sagelocal_probe.py", "WORD = 'installed'")
        info = "sagelocal_probe-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: sagelocal-probe\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    container.write("model/code/requirements.txt", "sagelocal-probe\n")
    container.write(
        "model/code/inference.py",
        "import sagelocal_probe\n"
        "def model_fn(model_dir): return None\n"
        "def transform_fn(model, body, content_type, accept): return sagelocal_probe.WORD\n",
    )

    serving = serve("generic", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), TMPDIR=str(tmp_path))

    assert serving.predicted("") == "installed"


UNSERVABLE = {
    "nothing at all": ({}, "", "Put code/inference.py with model_fn(model_dir)"),
    "no such program": ({"code/other.py": ""}, "mine.py", "there is no 'mine.py' in"),
    "no model_fn": ({"code/inference.py": ""}, "", "inference.py has no model_fn(model_dir)"),
    "a script that breaks": (
        {"code/inference.py": "import nothing_like_this"},
        "",
        "inference.py cannot be imported: ModuleNotFoundError: No module named 'nothing_like_this'",
    ),
    "a model_fn that fails": (
        {"code/inference.py": "def model_fn(model_dir): return open(model_dir + '/none')"},
        "",
        "model_fn of inference.py failed: FileNotFoundError: [Errno 2]",
    ),
    "two ways at once": (
        {"code/inference.py": "def transform_fn(a, b, c, d): ...\n" + MIRROR},
        "",
        "transform_fn, which takes the place of input_fn, predict_fn, output_fn",
    ),
    "TensorFlow Serving": (
        {"code/inference.py": "def input_handler(data, context): ..."},
        "",
        "written for TensorFlow Serving, which is not played here",
    ),
}


@pytest.mark.parametrize(("files", "program", "text"), UNSERVABLE.values(), ids=UNSERVABLE)
def test_a_model_that_cannot_be_served_ends_the_container_with_the_reason(
    container: Any, files: dict[str, str], program: str, text: str
) -> None:
    container.write("model/weights.bin", "")
    for name, content in files.items():
        container.write(f"model/{name}", content)

    done = container.run("generic", "serve", SAGEMAKER_PROGRAM=program, SAGEMAKER_BIND_TO_PORT="18080")

    assert done.returncode == 1
    assert text in container.failure
    assert container.failure in done.stderr


def test_what_a_model_without_script_has_is_listed(container: Any) -> None:
    container.write("model/weights.bin", "")

    container.run("generic", "serve", SAGEMAKER_BIND_TO_PORT="18080")

    assert "into model.tar.gz; it has: weights.bin." in container.failure
    assert f"no inference.py in {container.root / 'model/code'}" in container.failure
