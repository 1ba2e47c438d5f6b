"""Artifacts, actions and contexts, and what leads from one to another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"


async def _artifact(sage: Any, uri: str, type_: str = "DataSet", **more: Any) -> str:
    answer = await sage.call("create_artifact", Source={"SourceUri": uri}, ArtifactType=type_, **more)
    return str(answer["ArtifactArn"])


async def _action(sage: Any, name: str) -> str:
    source = {"SourceUri": "s3://b/code"}
    answer = await sage.call("create_action", ActionName=name, Source=source, ActionType="Train")
    return str(answer["ActionArn"])


async def _chain(sage: Any) -> list[str]:
    """data -> train -> model -> endpoint."""
    context = await sage.call(
        "create_context", ContextName="shop", Source={"SourceUri": "endpoint"}, ContextType="Endpoint"
    )
    chain = [
        await _artifact(sage, "s3://b/data"),
        await _action(sage, "train"),
        await _artifact(sage, "s3://b/model", "Model"),
        context["ContextArn"],
    ]
    for source, destination in pairwise(chain):
        await sage.call(
            "add_association",
            SourceArn=source,
            DestinationArn=destination,
            AssociationType="ContributedTo",
        )
    return chain


async def test_an_artifact_is_told_by_its_source(sage: Any) -> None:
    arn = await _artifact(sage, "s3://b/x", ArtifactName="rows", Properties={"a": "1", "b": "2"})
    assert arn.startswith(f"{PREFIX}artifact/")
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        await _artifact(sage, "s3://b/x")
    await sage.call(
        "update_artifact",
        ArtifactArn=arn,
        Properties={"c": "3"},
        PropertiesToRemove=["a"],
        ArtifactName="more",
    )
    told = await sage.call("describe_artifact", ArtifactArn=arn)
    assert (told["ArtifactName"], told["Properties"]) == ("more", {"b": "2", "c": "3"})
    listed = await sage.call("list_artifacts", SourceUri="s3://b/x", ArtifactType="DataSet")
    assert [each["ArtifactArn"] for each in listed["ArtifactSummaries"]] == [arn]
    assert (await sage.call("list_artifacts", ArtifactType="Model"))["ArtifactSummaries"] == []
    assert await sage.call("delete_artifact", Source={"SourceUri": "s3://b/x"}) == {"ArtifactArn": arn}
    for operation in ("describe_artifact", "delete_artifact", "update_artifact"):
        with pytest.raises(ClientError, match=r"ResourceNotFound.*does not exist"):
            await sage.call(operation, ArtifactArn=arn)
    with pytest.raises(ClientError, match=r"ValidationException.*ArtifactArn or Source"):
        await sage.call("delete_artifact")


@pytest.mark.parametrize("noun", ["action", "context"])
async def test_actions_and_contexts_have_names(sage: Any, noun: str) -> None:
    word = noun.capitalize()
    request = {f"{word}Name": "Mine", f"{word}Type": "T", "Source": {"SourceUri": "u"}}
    arn = f"{PREFIX}{noun}/mine"
    assert await sage.call(f"create_{noun}", **request, Properties={"a": "1"}) == {f"{word}Arn": arn}
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        await sage.call(f"create_{noun}", **request)
    await sage.call(f"update_{noun}", **{f"{word}Name": "Mine"}, Description="d", PropertiesToRemove=["a"])
    for name in ("Mine", arn):
        told = await sage.call(f"describe_{noun}", **{f"{word}Name": name})
        assert (told[f"{word}Name"], told["Description"], told["Properties"]) == ("Mine", "d", {})
    listed = await sage.call(f"list_{noun}s", **{f"{word}Type": "T"})
    assert [each[f"{word}Name"] for each in listed[f"{word}Summaries"]] == ["Mine"]
    await sage.call(f"delete_{noun}", **{f"{word}Name": "Mine"})
    with pytest.raises(ClientError, match=rf"ResourceNotFound.*{word} 'Mine' does not exist"):
        await sage.call(f"describe_{noun}", **{f"{word}Name": "Mine"})


async def test_associations_are_listed_by_their_ends_and_types(sage: Any) -> None:
    data, train, model, _ = await _chain(sage)

    async def ends(**request: Any) -> list[tuple[str, str]]:
        answer = await sage.call("list_associations", **request)
        return [(each["SourceType"], each["DestinationType"]) for each in answer["AssociationSummaries"]]

    assert await ends(SourceArn=data) == [("DataSet", "Train")]
    assert await ends(DestinationArn=model) == [("Train", "Model")]
    assert await ends(SourceType="Model") == [("Model", "Endpoint")]
    assert await ends(SortBy="SourceType", SortOrder="Ascending") == [
        ("DataSet", "Train"),
        ("Model", "Endpoint"),
        ("Train", "Model"),
    ]
    assert await ends(AssociationType="Produced") == []
    both = {"SourceArn": data, "DestinationArn": train}
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        await sage.call("add_association", **both)
    assert await sage.call("delete_association", **both) == both
    with pytest.raises(ClientError, match=r"ResourceNotFound.*does not exist"):
        await sage.call("delete_association", **both)
    with pytest.raises(ClientError, match=r"ResourceNotFound.*artifact/none"):
        await sage.call("add_association", SourceArn=data, DestinationArn=f"{PREFIX}artifact/none")


async def test_lineage_is_followed_both_ways(sage: Any) -> None:
    data, train, model, shop = await _chain(sage)

    async def reached(start: str, **request: Any) -> list[str]:
        answer = await sage.call("query_lineage", StartArns=[start], IncludeEdges=False, **request)
        return [each["Arn"] for each in answer["Vertices"]]

    assert await reached(data, Direction="Descendants") == [train, model, shop]
    assert await reached(shop, Direction="Ascendants") == [model, train, data]
    assert set(await reached(train, Direction="Both")) == {data, model, shop}
    assert await reached(data, Direction="Descendants", MaxDepth=1) == [train]
    assert await reached(shop, Direction="Ascendants", Filters={"Types": ["DataSet"]}) == [data]
    assert await reached(shop, Direction="Ascendants", Filters={"LineageTypes": ["Action"]}) == [train]
    whole = await sage.call("query_lineage", StartArns=[train], Direction="Descendants")
    assert [each["Arn"] for each in whole["Vertices"]] == [train, model, shop]
    assert [(each["SourceArn"], each["DestinationArn"]) for each in whole["Edges"]] == [
        (train, model),
        (model, shop),
    ]
    with pytest.raises(ClientError, match=r"ResourceNotFound"):
        await sage.call("query_lineage", StartArns=[f"{PREFIX}artifact/none"])


async def test_what_is_deleted_leaves_no_association(sage: Any) -> None:
    data, *_ = await _chain(sage)
    await sage.call("delete_action", ActionName="train")
    assert len((await sage.call("list_associations"))["AssociationSummaries"]) == 1
    whole = await sage.call("query_lineage", StartArns=[data], Direction="Descendants")
    assert [each["Arn"] for each in whole["Vertices"]] == [data]


async def test_a_trial_component_leads_to_what_it_produced(sage: Any) -> None:
    component = (await sage.call("create_trial_component", TrialComponentName="c"))["TrialComponentArn"]
    model = await _artifact(sage, "s3://b/model", "Model")
    await sage.call("add_association", SourceArn=component, DestinationArn=model, AssociationType="Produced")
    answer = await sage.call("query_lineage", StartArns=[model], Direction="Ascendants", IncludeEdges=False)
    assert answer["Vertices"] == [
        {"Arn": component, "Type": "TrialComponent", "LineageType": "TrialComponent"}
    ]
    await sage.call("delete_trial_component", TrialComponentName="c")
    answer = await sage.call("query_lineage", StartArns=[model], Direction="Ascendants")
    assert answer["Edges"] == []
