"""A whole run whose objects lie behind another endpoint; ours stands in for it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.names import S3Uri

REPOSITORY = Path(__file__).parents[2]
SCRIPT = """
import os, pathlib
text = pathlib.Path("/opt/ml/processing/in/words.txt").read_text()
pathlib.Path("/opt/ml/processing/out/upper.txt").write_text(text.upper())
print("endpoint", os.environ["AWS_ENDPOINT_URL"])
"""
DEFINITION = {
    "Version": "2020-12-01",
    "Steps": [
        {
            "Name": "Shout",
            "Type": "Processing",
            "Arguments": {
                "RoleArn": "arn:aws:iam::000000000000:role/any-role",
                "AppSpecification": {
                    "ImageUri": "any:1",
                    "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/shout.py"],
                },
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                },
                "ProcessingInputs": [
                    {
                        "InputName": name,
                        "S3Input": {
                            "S3Uri": uri,
                            "LocalPath": path,
                            "S3DataType": "S3Prefix",
                            "S3InputMode": "File",
                        },
                    }
                    for name, uri, path in (
                        ("code", "s3://code/shout.py", "/opt/ml/processing/code"),
                        ("in", "s3://bucket/in", "/opt/ml/processing/in"),
                    )
                ],
                "ProcessingOutputConfig": {
                    "Outputs": [
                        {
                            "OutputName": "out",
                            "S3Output": {
                                "S3Uri": "s3://bucket/out",
                                "LocalPath": "/opt/ml/processing/out",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                    ]
                },
            },
        }
    ],
}


async def test_a_pipeline_reads_and_writes_behind_the_configured_endpoint(tmp_path: Path) -> None:
    python = Path(os.environ.get("SAGELOCAL_AWS_PYTHON", REPOSITORY / ".venv-aws/bin/python"))
    assert python.exists(), f"{python} is missing: make .venv-aws"
    store = ObjectStore(tmp_path / "elsewhere")
    store.put_bytes(S3Uri("bucket", "in/words.txt"), b"quiet words")
    (tmp_path / "pipeline.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "shout.py").write_text(SCRIPT)
    async with Endpoint(store) as endpoint:
        config = f'runtime = "process"\n[aws]\nendpoint = "{endpoint.url}"\n[s3]\n"s3://code/shout.py" = "shout.py"\n'
        (tmp_path / "sagelocal.toml").write_text(config)
        process = await asyncio.create_subprocess_exec(
            *(str(python), "-m", "sagelocal", "run", "pipeline.json", "--json"),
            cwd=tmp_path,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        url = endpoint.url

    assert process.returncode == 0, errors.decode()
    assert json.loads(output)["status"] == "Succeeded"
    found = store.file(S3Uri("bucket", "out/upper.txt"))
    assert found is not None
    assert found.read_text() == "QUIET WORDS"
    assert not (tmp_path / ".sagelocal" / "s3").exists()
    (log,) = (tmp_path / ".sagelocal" / "logs").glob("*/Shout.log")
    assert f"endpoint {url}" in log.read_text()
