"""Callback steps whose queue is behind another endpoint, as with LocalStack."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.outbox import RemoteOutbox
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_http import sqs_app
from sagelocal.database import open_database
from sagelocal.errors import MachineError
from sagelocal.names import Partition

REPOSITORY = Path(__file__).parents[2]


async def test_the_message_goes_there_and_the_answer_comes_here(tmp_path: Path) -> None:
    python = Path(os.environ.get("SAGELOCAL_AWS_PYTHON", REPOSITORY / ".venv-aws/bin/python"))
    assert python.exists(), f"{python} is missing: make .venv-aws"
    connection = open_database(":memory:")
    queues = Queues(connection, SystemClock(), Partition("us-east-1", "000000000000"))
    async with Endpoint(ObjectStore(tmp_path / "elsewhere"), {"sqs": sqs_app(queues)}) as endpoint:
        step = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": f"{endpoint.url}/000000000000/work"}
        steps = [{**step, "Arguments": {"n": 5}, "OutputParameters": []}]
        (tmp_path / "asking.json").write_text(json.dumps({"Version": "2020-12-01", "Steps": steps}))
        (tmp_path / "sagelocal.toml").write_text(f'[aws]\nendpoint = "{endpoint.url}"\n')
        run = await _start(python, tmp_path, "run", "asking.json", "--json")
        [message] = await queues.receive("work", wait=20)
        body = json.loads(message.body)
        assert (body["arguments"], body["status"]) == ({"n": 5}, "Executing")
        assert run.stderr
        hints = [line.decode() async for line in _until(run.stderr, "callback succeed")]
        assert re.search(r"AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:\d+\)", hints[-1])
        answer = await _start(python, tmp_path, "callback", "succeed", body["token"])
        assert (await answer.wait()) == 0
        output, _ = await run.communicate()
        queues.close()
    connection.close()
    assert json.loads(output)["status"] == "Succeeded"


async def _start(python: Path, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(str(python), "-m", "sagelocal", *arguments),
        cwd=folder,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _until(stream: asyncio.StreamReader, text: str) -> Any:
    while line := await stream.readline():
        yield line
        if text in line.decode():
            return


async def test_without_the_extra_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    with pytest.raises(MachineError, match=r"pip install 'sagelocal\[aws\]'"):
        await RemoteOutbox("http://127.0.0.1:9", "us-east-1").send("http://127.0.0.1:9/q", "{}", "g", "d")
