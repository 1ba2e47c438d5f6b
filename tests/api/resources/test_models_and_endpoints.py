"""Models, and the endpoints that are records of them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"
VARIANT = {
    "VariantName": "all",
    "ModelName": "m",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
    "InitialVariantWeight": 1.0,
}


async def _config(sage: Any, name: str, **changes: Any) -> None:
    await sage.call(
        "create_endpoint_config", EndpointConfigName=name, ProductionVariants=[{**VARIANT, **changes}]
    )


async def test_a_model_is_created_described_listed_and_deleted(sage: Any, make: Any) -> None:
    answer = await sage.call("create_model", **make.model("M-1"), Tags=[{"Key": "a", "Value": "b"}])
    assert answer == {"ModelArn": f"{PREFIX}model/m-1"}
    told = await sage.call("describe_model", ModelName="M-1")
    assert told["PrimaryContainer"]["Environment"] == {"A": "1"}
    assert told["EnableNetworkIsolation"] is False
    tags = await sage.call("list_tags", ResourceArn=answer["ModelArn"])
    assert tags["Tags"] == [{"Key": "a", "Value": "b"}]
    await sage.call("create_model", **make.model("other"))
    listed = await sage.call("list_models", NameContains="m-")
    assert [each["ModelName"] for each in listed["Models"]] == ["M-1"]
    await sage.call("delete_model", ModelName="M-1")
    assert [each["ModelName"] for each in (await sage.call("list_models"))["Models"]] == ["other"]
    assert (await sage.call("list_tags", ResourceArn=answer["ModelArn"]))["Tags"] == []


async def test_what_the_service_says_about_models(sage: Any, make: Any) -> None:
    await sage.call("create_model", **make.model("m"))
    arn = f'"{PREFIX}model/m"'
    with pytest.raises(
        ClientError, match=rf"ValidationException.*Cannot create already existing model {arn}\."
    ):
        await sage.call("create_model", **make.model("m"))
    for operation in ("describe_model", "delete_model"):
        with pytest.raises(ClientError, match=r'ValidationException.*Could not find model ".*:model/none"\.'):
            await sage.call(operation, ModelName="none")


async def test_an_endpoint_is_in_service_at_once(sage: Any, make: Any) -> None:
    await sage.call("create_model", **make.model("m"))
    await _config(sage, "one")
    told = await sage.call("describe_endpoint_config", EndpointConfigName="one")
    assert told["EndpointConfigArn"] == f"{PREFIX}endpoint-config/one"
    answer = await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="one")
    assert answer == {"EndpointArn": f"{PREFIX}endpoint/e"}
    told = await sage.call("describe_endpoint", EndpointName="e")
    assert told["EndpointStatus"] == "InService"
    [variant] = told["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (
        "all",
        1,
        1.0,
    )
    listed = await sage.call("list_endpoints", StatusEquals="InService")
    assert [each["EndpointName"] for each in listed["Endpoints"]] == ["e"]
    assert [
        each["EndpointConfigName"] for each in (await sage.call("list_endpoint_configs"))["EndpointConfigs"]
    ] == ["one"]


async def test_an_endpoint_is_updated(sage: Any, make: Any) -> None:
    await sage.call("create_model", **make.model("m"))
    await _config(sage, "one")
    await _config(sage, "two", InitialInstanceCount=5)
    await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="one")
    wanted = [{"VariantName": "all", "DesiredWeight": 0.5, "DesiredInstanceCount": 3}]
    await sage.call(
        "update_endpoint_weights_and_capacities", EndpointName="e", DesiredWeightsAndCapacities=wanted
    )

    async def variant() -> tuple[str, int, float]:
        told = await sage.call("describe_endpoint", EndpointName="e")
        [found] = told["ProductionVariants"]
        return told["EndpointConfigName"], found["DesiredInstanceCount"], found["CurrentWeight"]

    assert await variant() == ("one", 3, 0.5)
    await sage.call(
        "update_endpoint",
        EndpointName="e",
        EndpointConfigName="two",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    assert await variant() == ("two", 5, 0.5)
    await sage.call("update_endpoint", EndpointName="e", EndpointConfigName="one")
    assert await variant() == ("one", 1, 1.0)
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find variant"):
        await sage.call(
            "update_endpoint_weights_and_capacities",
            EndpointName="e",
            DesiredWeightsAndCapacities=[{"VariantName": "none", "DesiredWeight": 1.0}],
        )


async def test_what_the_service_says_about_endpoints(sage: Any, make: Any) -> None:
    with pytest.raises(ClientError, match=r'Could not find model ".*:model/m"'):
        await _config(sage, "c")
    await sage.call("create_model", **make.model("m"))
    await _config(sage, "c")
    with pytest.raises(
        ClientError, match=r'Cannot create already existing endpoint configuration ".*-config/c"'
    ):
        await _config(sage, "c")
    none = 'ValidationException.*Could not find endpoint configuration ".*:endpoint-config/none"'
    for operation in ("describe_endpoint_config", "delete_endpoint_config"):
        with pytest.raises(ClientError, match=none):
            await sage.call(operation, EndpointConfigName="none")
    with pytest.raises(ClientError, match=none):
        await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="none")
    await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="c")
    with pytest.raises(ClientError, match=r'Cannot create already existing endpoint ".*:endpoint/e"'):
        await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="c")
    for operation in ("describe_endpoint", "delete_endpoint"):
        with pytest.raises(
            ClientError, match=r'ValidationException.*Could not find endpoint ".*:endpoint/none"'
        ):
            await sage.call(operation, EndpointName="none")
    await sage.call("delete_endpoint_config", EndpointConfigName="c")
    await sage.call("delete_endpoint", EndpointName="e")
    assert (await sage.call("list_endpoints"))["Endpoints"] == []
