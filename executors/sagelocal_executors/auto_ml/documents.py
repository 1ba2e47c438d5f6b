"""The documents that an AutoML job leaves in S3 beside its models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.cloud.objects import Objects
from sagelocal.values import Json, JsonObject

SIGNED = "sagelocal's local search, which is not Amazon SageMaker Autopilot"
STATISTICS, ANALYSIS = "statistics.json", "analysis.json"
_PLACEHOLDER = {"generated_by": "sagelocal's stub runtime, in the place of a real report"}


@dataclass(frozen=True, slots=True)
class Documents:
    """Where they lie, as Autopilot has them, and how they get there.

    Attributes:
        area: the S3 prefix that the AutoML job has for itself.
        folder: a working folder of its own.
    """

    objects: Objects
    area: str
    folder: Path

    def insights(self, candidate: str) -> str:
        """The prefix of the report on the quality of a candidate's model."""
        return f"{self.area}/documentation/model_monitor/output/{candidate}"

    def explainability(self, candidate: str) -> str:
        """The prefix of the report on what its model looks at."""
        return f"{self.area}/documentation/explainability/output/{candidate}"

    @property
    def notebook(self) -> str:
        """The notebook that describes the data."""
        return f"{self.area}/sagemaker-automl-candidates/notebooks/DataExploration.ipynb"

    async def put_reports(self, candidate: str, files: Mapping[str, bytes]) -> JsonObject:
        """Upload the two reports; BestCandidateProperties, which says where they lie."""
        return {
            "ModelInsightsJsonReportPath": await self._put(
                files[STATISTICS], f"{self.insights(candidate)}/{STATISTICS}"
            ),
            "ExplainabilityJsonReportPath": await self._put(
                files[ANALYSIS], f"{self.explainability(candidate)}/{ANALYSIS}"
            ),
        }

    async def put_placeholders(self, candidate: str) -> JsonObject:
        text = json.dumps(_PLACEHOLDER).encode()
        return await self.put_reports(candidate, {STATISTICS: text, ANALYSIS: text})

    async def put_notebook(self, facts: Mapping[str, Any]) -> None:
        await self._put(json.dumps(exploration(facts), indent=1).encode(), self.notebook)

    async def _put(self, content: bytes, uri: str) -> str:
        file = self.folder / "document"
        file.write_bytes(content)
        await self.objects.upload(file, uri)
        return uri


def exploration(facts: Mapping[str, Any]) -> JsonObject:
    """A notebook without code that tells what was found in the data."""
    missing = facts["missing"]
    kinds = {
        **dict.fromkeys(facts["numeric"], "numbers"),
        **dict.fromkeys(facts["categorical"], "words, one-hot encoded"),
        **{name: f"left out: it {reason}" for name, reason in facts["dropped"].items()},
    }
    lines = [
        "# The data\n",
        f"Written by {SIGNED}.\n",
        f"* Problem type: {facts['problem_type']}, because {facts['reason']}",
        f"* Target: `{facts['target']}`",
        f"* Rows: {facts['training_rows']} to train on, {facts['validation_rows']} held back\n",
        "| column | missing | read as |",
        "|---|---|---|",
        *(f"| `{name}` | {count} | {kinds[name]} |" for name, count in missing.items()),
    ]
    cell: dict[str, Json] = {
        "cell_type": "markdown",
        "metadata": {},
        "source": [f"{line}\n" for line in lines],
    }
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
