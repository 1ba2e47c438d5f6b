"""Services that are not ours: played by moto where it is installed, else refused with a way out.

The tests with moto run where it is installed; SAGELOCAL_TEST_MOTO=1 says that it must be.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sagelocal.cloud.others import OURS, can_play

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

MOTO = find_spec("moto") is not None
_MUST = os.environ.get("SAGELOCAL_TEST_MOTO") == "1"
with_moto = pytest.mark.skipif(not MOTO and not _MUST, reason="moto is not installed")
without_moto = pytest.mark.skipif(MOTO, reason="moto is installed")


def test_moto_is_where_it_must_be() -> None:
    assert MOTO or not _MUST, (
        "SAGELOCAL_TEST_MOTO=1 says that moto is installed here: pip install 'sagelocal[moto]'"
    )


@without_moto
@pytest.mark.parametrize(
    ("service", "operation", "named"),
    [
        ("secretsmanager", "list_secrets", "secretsmanager: ListSecrets"),
        ("sns", "list_topics", "sns: ListTopics"),
        ("glue", "get_databases", "glue: GetDatabases"),
        ("batch", "describe_jobs", "batch: POST /v1/describejobs"),
    ],
)
async def test_what_nobody_serves_is_refused_with_a_way_out(
    world: World, service: str, operation: str, named: str
) -> None:
    told = await world.refused(service, operation)

    assert told.startswith(
        f"NotImplemented: {named} is not served yet by sagelocal: pip install 'sagelocal[moto]'"
    )
    assert "AWS_ENDPOINT_URL_<SERVICE>" in told


async def test_no_way_is_shown_where_there_is_none(world: World) -> None:
    told = await world.refused("sagemaker", "list_pipelines")

    assert told == "NotImplemented: sagemaker: ListPipelines is not served yet by sagelocal"


@pytest.mark.parametrize("service", [*sorted(OURS), "sagemaker-geospatial", "sagemaker-featurestore-runtime"])
def test_moto_is_never_asked_for_what_is_ours_or_sagemakers(service: str) -> None:
    assert not can_play(service)


def test_moto_is_loaded_only_when_it_is_needed() -> None:
    program = "import sys, sagelocal.cloud.surroundings; print({'moto', 'flask', 'starlette', 'botocore'} & set(sys.modules))"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout == "set()\n"


@with_moto
async def test_moto_keeps_a_secret(world: World) -> None:
    created = await world.call("secretsmanager", "create_secret", Name="key", SecretString="ä\nb")

    found = await world.call("secretsmanager", "get_secret_value", SecretId="key")

    assert found["SecretString"] == "ä\nb"
    assert created["ARN"].startswith("arn:aws:secretsmanager:eu-west-1:123456789012:secret:key")


@with_moto
async def test_moto_speaks_the_other_protocols_too(world: World) -> None:
    topic = (await world.call("sns", "create_topic", Name="t"))["TopicArn"]
    table: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    await world.call("dynamodb", "create_table", TableName="t", **table)
    await world.call("dynamodb", "put_item", TableName="t", Item={"k": {"S": "1"}})
    group = await world.call("resource-groups", "list_groups")

    assert topic == "arn:aws:sns:eu-west-1:123456789012:t"
    assert (await world.call("dynamodb", "scan", TableName="t"))["Count"] == 1
    assert group["GroupIdentifiers"] == []


@with_moto
async def test_motos_refusals_reach_the_client(world: World) -> None:
    told = await world.refused("secretsmanager", "get_secret_value", SecretId="none")

    assert told.startswith("ResourceNotFoundException")


@with_moto
async def test_what_is_ours_stays_ours_beside_moto(world: World) -> None:
    await world.call("secretsmanager", "list_secrets")

    assert (await world.call("sts", "get_caller_identity"))["Arn"].endswith("assumed-role/sagelocal/local")
    assert (await world.refused("sqs", "list_queues")).startswith("NotImplemented")
    async with httpx.AsyncClient() as client:
        assert (await client.get(world.url)).status_code == 200  # S3's buckets, as nobody has signed
