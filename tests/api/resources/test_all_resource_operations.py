"""Every operation on resources answers, and what it answers has its shape."""

from __future__ import annotations

from typing import Any

from botocore import xform_name

from sagelocal.api.resources import OPERATIONS

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"
PACKAGE = f"{PREFIX}model-package/g/1"
COMPONENT = f"{PREFIX}experiment-trial-component/c"
ENDS = {"SourceArn": COMPONENT, "DestinationArn": f"{PREFIX}context/c"}
SOURCE = {"SourceUri": "s3://b/x"}
VARIANT = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
BY_TUNING, BY_AUTO = {"HyperParameterTuningJobName": "h"}, {"AutoMLJobName": "a"}
MANY = {"MaxResults": 5, "SortOrder": "Ascending"}
ENDED = (
    ("describe_training_job", "TrainingJobStatus", {"TrainingJobName": "t"}),
    ("describe_processing_job", "ProcessingJobStatus", {"ProcessingJobName": "p"}),
    ("describe_transform_job", "TransformJobStatus", {"TransformJobName": "x"}),
    ("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobStatus", BY_TUNING),
    ("describe_auto_ml_job", "AutoMLJobStatus", BY_AUTO),
)
Story = list[tuple[str, dict[str, Any]]]


def _created(make: Any) -> Story:
    return [
        ("CreateModel", make.model("m")),
        ("CreateTrainingJob", make.training("t")),
        ("CreateProcessingJob", make.processing("p")),
        ("CreateTransformJob", make.transform("x", "m")),
        ("CreateHyperParameterTuningJob", make.tuning("h")),
        ("CreateAutoMLJob", make.auto_ml("a")),
    ]


def _stopped(make: Any) -> Story:
    return [
        ("CreateTrainingJob", make.training("slow-t")),
        ("StopTrainingJob", {"TrainingJobName": "slow-t"}),
        ("CreateProcessingJob", make.processing("slow-p")),
        ("StopProcessingJob", {"ProcessingJobName": "slow-p"}),
        ("CreateTransformJob", make.transform("slow-x", "m")),
        ("StopTransformJob", {"TransformJobName": "slow-x"}),
        ("CreateHyperParameterTuningJob", make.tuning("slow-h")),
        ("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": "slow-h"}),
    ]


def _listed() -> Story:
    return [
        ("ListTrainingJobs", MANY),
        ("ListProcessingJobs", MANY),
        ("ListTransformJobs", MANY),
        ("ListHyperParameterTuningJobs", MANY),
        ("ListTrainingJobsForHyperParameterTuningJob", BY_TUNING),
        ("ListAutoMLJobs", MANY),
        ("ListCandidatesForAutoMLJob", BY_AUTO),
        ("ListModels", MANY),
        ("DescribeModel", {"ModelName": "m"}),
        ("DeleteTrainingJob", {"TrainingJobName": "t"}),
        ("DeleteProcessingJob", {"ProcessingJobName": "p"}),
        ("DeleteHyperParameterTuningJob", BY_TUNING),
    ]


def _deployed(make: Any) -> Story:
    group, endpoint, config = (
        {"ModelPackageGroupName": "g"},
        {"EndpointName": "e"},
        {"EndpointConfigName": "c"},
    )
    weights = [{"VariantName": "v", "DesiredWeight": 0.5}]
    return [
        ("CreateEndpointConfig", {**config, "ProductionVariants": [VARIANT]}),
        ("DescribeEndpointConfig", config),
        ("ListEndpointConfigs", MANY),
        ("CreateEndpoint", {**endpoint, **config}),
        ("DescribeEndpoint", endpoint),
        ("ListEndpoints", MANY),
        ("UpdateEndpoint", {**endpoint, **config}),
        ("UpdateEndpointWeightsAndCapacities", {**endpoint, "DesiredWeightsAndCapacities": weights}),
        ("DeleteEndpoint", endpoint),
        ("DeleteEndpointConfig", config),
        ("DeleteModel", {"ModelName": "m"}),
        ("CreateModelPackageGroup", group),
        ("PutModelPackageGroupPolicy", {**group, "ResourcePolicy": "{}"}),
        ("GetModelPackageGroupPolicy", group),
        ("DeleteModelPackageGroupPolicy", group),
        ("DescribeModelPackageGroup", group),
        ("ListModelPackageGroups", MANY),
        ("CreateModelPackage", make.package(**group)),
        ("DescribeModelPackage", {"ModelPackageName": PACKAGE}),
        ("BatchDescribeModelPackage", {"ModelPackageArnList": [PACKAGE]}),
        ("ListModelPackages", {**MANY, **group}),
        ("UpdateModelPackage", {"ModelPackageArn": PACKAGE, "ModelApprovalStatus": "Approved"}),
        ("Search", {"Resource": "ModelPackage"}),
        ("GetSearchSuggestions", {"Resource": "ModelPackage"}),
        ("DeleteModelPackage", {"ModelPackageName": PACKAGE}),
        ("DeleteModelPackageGroup", group),
    ]


def _tried() -> Story:
    experiment, trial, component = {"ExperimentName": "e"}, {"TrialName": "t"}, {"TrialComponentName": "c"}
    return [
        ("CreateExperiment", experiment),
        ("UpdateExperiment", {**experiment, "Description": "d"}),
        ("DescribeExperiment", experiment),
        ("ListExperiments", MANY),
        ("CreateTrial", {**trial, **experiment}),
        ("UpdateTrial", {**trial, "DisplayName": "d"}),
        ("DescribeTrial", trial),
        ("ListTrials", MANY),
        ("CreateTrialComponent", component),
        ("UpdateTrialComponent", {**component, "DisplayName": "d"}),
        ("DescribeTrialComponent", component),
        ("ListTrialComponents", MANY),
        ("AssociateTrialComponent", {**component, **trial}),
        ("DisassociateTrialComponent", {**component, **trial}),
    ]


def _derived() -> Story:
    action, context = {"ActionName": "a"}, {"ContextName": "c"}
    return [
        ("CreateAction", {**action, "Source": SOURCE, "ActionType": "T"}),
        ("UpdateAction", {**action, "Description": "d"}),
        ("DescribeAction", action),
        ("ListActions", MANY),
        ("DeleteAction", action),
        ("CreateContext", {**context, "Source": SOURCE, "ContextType": "T"}),
        ("UpdateContext", {**context, "Description": "d"}),
        ("DescribeContext", context),
        ("ListContexts", MANY),
        ("AddAssociation", ENDS),
        ("ListAssociations", MANY),
        ("QueryLineage", {"StartArns": [COMPONENT]}),
        ("DeleteAssociation", ENDS),
        ("DeleteContext", context),
        ("DeleteTrialComponent", {"TrialComponentName": "c"}),
        ("DeleteTrial", {"TrialName": "t"}),
        ("DeleteExperiment", {"ExperimentName": "e"}),
    ]


async def test_every_operation_answers_as_its_shape_says(sage: Any, make: Any) -> None:
    async def tell(story: Story) -> None:
        for operation, request in story:
            await sage.call(xform_name(operation), **request)

    await tell(_created(make))
    for operation, status, by in ENDED:
        assert (await sage.ended(operation, status, **by))[status] == "Completed"
    await tell(_stopped(make) + _listed() + _deployed(make) + _tried() + _derived())
    arn = (await sage.call("create_artifact", Source=SOURCE, ArtifactType="T"))["ArtifactArn"]
    by_arn = {"ArtifactArn": arn}
    changed = {**by_arn, "ArtifactName": "n"}
    of_artifact: Story = [("UpdateArtifact", changed), ("DescribeArtifact", by_arn), ("ListArtifacts", MANY)]
    await tell([*of_artifact, ("DeleteArtifact", by_arn)])
    # A stub plays an AutoML job at once: that it can be stopped is tested on a slow executor.
    assert set(OPERATIONS) - sage.answered == {"StopAutoMLJob"}
