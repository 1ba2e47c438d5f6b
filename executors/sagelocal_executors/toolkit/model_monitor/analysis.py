"""One run of the image: from the request to the reports."""

from __future__ import annotations

from collections.abc import Callable

import ml_contract

from model_monitor import data_quality, documents, model_quality, request, scripts
from model_monitor.data_quality import Documents
from model_monitor.request import Request

VIOLATIONS = "constraint_violations.json"
ANALYSES: dict[str, Callable[[Request], Documents]] = {
    request.DATA_QUALITY: data_quality.analyze,
    request.MODEL_QUALITY: model_quality.analyze,
}


def run() -> int:
    """Analyze, write the reports, call the author's script."""
    wanted = request.from_process()
    if wanted.publishes:
        print(
            "publish_cloudwatch_metrics: there is no CloudWatch here; metrics are not published", flush=True
        )
    made = ANALYSES[wanted.analysis](wanted)
    for name, content in made.items():
        documents.write(wanted.output, name, content)
    _say(made)
    if wanted.postprocessor:
        scripts.postprocess(wanted.postprocessor)
    return 0


def _say(made: Documents) -> None:
    """The job's ExitMessage, as the image words it (semantics 08 §8.1: /opt/ml/output/message)."""
    text = "Completed: Job completed successfully with no violations."
    violations = made.get(VIOLATIONS, {}).get("violations", [])
    if violations:
        count = len(violations)
        text = f"CompletedWithViolations: Job completed successfully with {count} violations."
    for violation in violations:
        print(f"{violation['constraint_check_type']}: {_whose(violation)}: {violation['description']}")
    print(text, flush=True)
    ml_contract.OUTPUT.mkdir(parents=True, exist_ok=True)
    (ml_contract.OUTPUT / "message").write_text(text, encoding="utf-8")


def _whose(violation: dict[str, str]) -> str:
    return violation.get("feature_name") or violation.get("metric_name", "")
