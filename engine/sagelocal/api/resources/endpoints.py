"""Operations on endpoints and their configurations, which are records: nothing is hosted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.models import MODELS
from sagelocal.api.resources.named import Named, Refusal
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Kind
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject

CONFIGS: Final = Named(
    Kind.ENDPOINT_CONFIG,
    "EndpointConfig",
    Refusal("ValidationException", 'Could not find endpoint configuration "{arn}".'),
    Refusal("ValidationException", 'Cannot create already existing endpoint configuration "{arn}".'),
)
ENDPOINTS: Final = Named(
    Kind.ENDPOINT,
    "Endpoint",
    Refusal("ValidationException", 'Could not find endpoint "{arn}".'),
    Refusal("ValidationException", 'Cannot create already existing endpoint "{arn}".'),
)
_CONFIG_LIST: Final = Listing(
    "EndpointConfigs", "EndpointConfigSummary", "EndpointConfigName", "EndpointConfigName"
)
_ENDPOINT_LIST: Final = Listing(
    "Endpoints", "EndpointSummary", "EndpointName", "EndpointName", "EndpointStatus"
)


def create_config(engine: Engine, request: Request) -> JsonObject:
    """CreateEndpointConfig; its models must exist."""
    for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", ())]:
        if "ModelName" in variant:
            MODELS.get(engine, variant["ModelName"])
    return {"EndpointConfigArn": CONFIGS.create(engine, request)}


def describe_config(engine: Engine, request: Request) -> JsonObject:
    """DescribeEndpointConfig."""
    return described("DescribeEndpointConfig", CONFIGS.get(engine, request["EndpointConfigName"]))


def list_configs(engine: Engine, request: Request) -> JsonObject:
    """ListEndpointConfigs."""
    return _CONFIG_LIST.answer(request, CONFIGS.all(engine))


def delete_config(engine: Engine, request: Request) -> JsonObject:
    """DeleteEndpointConfig; endpoints that have it stay as they are."""
    CONFIGS.delete(engine, request["EndpointConfigName"])
    return {}


def create(engine: Engine, request: Request) -> JsonObject:
    """CreateEndpoint: it is InService at once."""
    if ENDPOINTS.find(engine, request["EndpointName"]) is None:
        more = _deployed(CONFIGS.get(engine, request["EndpointConfigName"]), request)
    else:
        more = {}
    return {
        "EndpointArn": ENDPOINTS.create(
            engine,
            request,
            EndpointStatus="InService",
            LastModifiedTime=iso(engine.clock.now()),
            **more,
        )
    }


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeEndpoint."""
    return described("DescribeEndpoint", ENDPOINTS.get(engine, request["EndpointName"]))


def list_endpoints(engine: Engine, request: Request) -> JsonObject:
    """ListEndpoints."""
    return _ENDPOINT_LIST.answer(request, ENDPOINTS.all(engine))


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdateEndpoint: another configuration."""
    record = ENDPOINTS.get(engine, request["EndpointName"])
    config = CONFIGS.get(engine, request["EndpointConfigName"])
    more = _deployed(config, request)
    if request.get("RetainAllVariantProperties"):
        excluded = {
            each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", ())
        }
        more["ProductionVariants"] = list(_retained(record, more["ProductionVariants"], excluded))
    if request.get("RetainDeploymentConfig"):
        more.pop("LastDeploymentConfig", None)
    name = str(record["EndpointName"])
    changed = ENDPOINTS.update(engine, name, EndpointConfigName=request["EndpointConfigName"], **more)
    return {"EndpointArn": changed["EndpointArn"]}


def update_weights(engine: Engine, request: Request) -> JsonObject:
    """UpdateEndpointWeightsAndCapacities, of variants that the endpoint has."""
    record = ENDPOINTS.get(engine, request["EndpointName"])
    wanted = {each["VariantName"]: each for each in request["DesiredWeightsAndCapacities"]}
    variants = {str(each["VariantName"]): each for each in _objects(record.get("ProductionVariants"))}
    for name in wanted.keys() - variants.keys():
        message = f'Could not find variant "{name}" of endpoint "{record["EndpointArn"]}".'
        raise ApiError("ValidationException", message)
    changed: list[Json] = [
        {**variant, **_desired(wanted.get(name, {}))} for name, variant in variants.items()
    ]
    ENDPOINTS.update(engine, str(record["EndpointName"]), ProductionVariants=changed)
    return {"EndpointArn": record["EndpointArn"]}


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteEndpoint."""
    ENDPOINTS.delete(engine, request["EndpointName"])
    return {}


def _deployed(config: JsonObject, request: Request) -> dict[str, Json]:
    """The members of an endpoint that come from its configuration."""
    more: dict[str, Json] = {
        member: [_variant(each) for each in _objects(config.get(member))]
        for member in ("ProductionVariants", "ShadowProductionVariants")
        if member in config
    }
    for member in ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig", "CrossRegionTrafficConfig"):
        if member in config:
            more[member] = config[member]
    capture = config.get("DataCaptureConfig")
    if isinstance(capture, Mapping):
        on = capture.get("EnableCapture", True)
        more["DataCaptureConfig"] = {
            "EnableCapture": on,
            "CaptureStatus": "Started" if on else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    if "DeploymentConfig" in request:
        more["LastDeploymentConfig"] = request["DeploymentConfig"]
    return more


def _variant(variant: JsonObject) -> JsonObject:
    """ProductionVariantSummary of a variant of a configuration."""
    count, weight = variant.get("InitialInstanceCount"), variant.get("InitialVariantWeight", 1.0)
    serverless = variant.get("ServerlessConfig")
    summary = {
        **variant,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        "CurrentServerlessConfig": serverless,
        "DesiredServerlessConfig": serverless,
    }
    return {name: value for name, value in summary.items() if value is not None}


def _desired(wanted: JsonObject) -> dict[str, Json]:
    changes = {"Weight": wanted.get("DesiredWeight"), "InstanceCount": wanted.get("DesiredInstanceCount")}
    return {
        f"{when}{what}": value
        for what, value in changes.items()
        if value is not None
        for when in ("Current", "Desired")
    }


def _retained(record: JsonObject, variants: Json, excluded: set[str]) -> Iterator[JsonObject]:
    """The new variants with weight and number of instances of those of the same name (API: UpdateEndpoint)."""
    before = {each["VariantName"]: each for each in _objects(record.get("ProductionVariants"))}
    kept = [what for what in ("InstanceCount", "Weight") if f"Desired{what}" not in excluded]
    for variant in _objects(variants):
        old = before.get(variant["VariantName"], {})
        members = [f"{when}{what}" for what in kept for when in ("Current", "Desired")]
        yield {**variant, **{name: old[name] for name in members if name in old}}


def _objects(values: Json) -> list[JsonObject]:
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateEndpoint": create,
    "CreateEndpointConfig": create_config,
    "DeleteEndpoint": delete,
    "DeleteEndpointConfig": delete_config,
    "DescribeEndpoint": describe,
    "DescribeEndpointConfig": describe_config,
    "ListEndpointConfigs": list_configs,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": update_weights,
}
