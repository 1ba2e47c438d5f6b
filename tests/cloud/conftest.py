"""A store in a temporary folder, the endpoint over it, a boto3 client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@contextmanager
def running(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint on a loop of its own thread, so that blocking clients can talk to it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(endpoint.__aenter__(), loop).result(30)
        yield endpoint
        asyncio.run_coroutine_threadsafe(endpoint.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@pytest.fixture(name="running")
def _running() -> Callable[[Endpoint], AbstractContextManager[Endpoint]]:
    return running


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "s3")


@pytest.fixture
def url(store: ObjectStore) -> Iterator[str]:
    with running(Endpoint(store)) as endpoint:
        yield endpoint.url


@pytest.fixture
def client_for() -> Iterator[Callable[..., Any]]:
    """Makes boto3 clients that are closed at the end."""
    made: list[Any] = []

    def make(url: str, service: str = "s3", **config: Any) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]  # any service by name
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0, "mode": "standard"}, **config),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def s3(url: str, client_for: Callable[..., Any]) -> S3Client:
    client: S3Client = client_for(url)
    return client
