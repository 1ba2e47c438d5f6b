"""Why the model predicts what it predicts: Kernel SHAP over the whole dataset (AWS: SHAP analysis)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import JobError

from clarify.baselines import baseline
from clarify.config import Config, Shap
from clarify.dataset import Dataset
from clarify.model import Model
from clarify.shapley import Coalitions, attributions, coalitions, default_samples

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, np.dtype[np.float64]]

_ROWS = 100_000  # synthetic rows at a time, which bounds the memory


@dataclass(frozen=True)
class Explained:
    """The attributions of all records.

    Attributes:
        labels: the names of the model's outputs.
        features: the names of the features that are reported.
        local: for each record, label and feature (axes 0 to 2) what the feature adds.
        overall: for each label (axis 0) and feature (axis 1) the aggregated attribution.
        expected: for each label the value at the baseline.
    """

    labels: tuple[str, ...]
    features: tuple[str, ...]
    local: Numbers
    overall: Numbers
    expected: Numbers

    def json(self) -> dict[str, Any]:
        return {
            label: {
                "global_shap_values": dict(self._by_feature(self.overall[i])),
                "expected_value": float(self.expected[i]),
            }
            for i, label in enumerate(self.labels)
        }

    def _by_feature(self, values: Numbers) -> Iterator[tuple[str, float]]:
        for i, feature in enumerate(self.features):
            yield feature, float(values[i])

    def importance(self) -> dict[str, float]:
        """How much each feature matters, over all labels."""
        return dict(self._by_feature(np.abs(self.overall).sum(axis=0)))


AGGREGATIONS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "mean_abs": lambda local: np.abs(local).mean(axis=0),
    "mean_sq": lambda local: (local**2).mean(axis=0),
    "median": lambda local: np.median(local, axis=0),
}


def explain(config: Config, shap: Shap, dataset: Dataset, model: Model, output: Path) -> Explained:
    """Explain every record, and leave baseline.csv and (where asked for) out.csv in explanations_shap.

    Raises:
        JobError: the baseline does not fit, or the model cannot be explained.
    """
    reported = _reported(shap, dataset)
    game = _Game(shap, dataset, model, baseline(shap, config.data, dataset))
    folder = output / "explanations_shap"
    folder.mkdir(parents=True, exist_ok=True)
    game.absent.write_csv(folder / "baseline.csv")
    local = game.solve()[:, :, [dataset.features.index(name) for name in reported]]
    labels = output_labels(config, local.shape[1])
    result = Explained(labels, reported, local, AGGREGATIONS[shap.aggregation](local), game.empty)
    if shap.save_local:
        _local_table(result, dataset).write_csv(folder / "out.csv")
    return result


def _reported(shap: Shap, dataset: Dataset) -> tuple[str, ...]:
    key = "methods.shap.features_to_explain"
    named = {dataset.feature(key, place) for place in shap.features}
    return tuple(name for name in dataset.features if not named or name in named)


def output_labels(config: Config, outputs: int) -> tuple[str, ...]:
    """What the outputs of the model are called: as predictor.label_headers says, else label0, label1 …."""
    headers = config.predictor.label_headers if config.predictor else ()
    return tuple(map(str, headers)) if len(headers) == outputs else tuple(f"label{i}" for i in range(outputs))


def _local_table(explained: Explained, dataset: Dataset) -> pl.DataFrame:
    columns = [
        pl.Series(f"{feature}_{label}", explained.local[:, i, j])
        for i, label in enumerate(explained.labels)
        for j, feature in enumerate(explained.features)
    ]
    return pl.DataFrame([dataset.frame[dataset.join], *columns] if dataset.join else columns)


class _Game:
    """The features as players: a coalition is worth what the model predicts, on average over the baseline."""

    def __init__(self, shap: Shap, dataset: Dataset, model: Model, absent: pl.DataFrame) -> None:
        self._shap = shap
        self._model = model
        present = dataset.frame.select(dataset.features)
        self._both = pl.DataFrame(
            [_side_by_side(column, absent[column.name]) for column in present.iter_columns()]
        )
        self._present, self.absent = self._both[: present.height], self._both[present.height :]
        features = len(dataset.features)
        self._chosen = coalitions(features, shap.samples or default_samples(features), shap.seed)
        self.empty = self._link(model.scores(self.absent).mean(axis=0))

    def solve(self) -> Numbers:
        """The attributions: records, outputs, features."""
        rows = self._present.height
        step = max(1, _ROWS // max(1, len(self._chosen.members) * self.absent.height))
        _say(rows, self._chosen, self.absent.height)
        parts = []
        for start in range(0, rows, step):
            records = np.arange(start, min(start + step, rows))
            full = self._link(self._model.scores(self._present[start : start + step]))
            parts.append(attributions(self._chosen, self._values(records, full.shape[1]), self.empty, full))
            print(f"shap: {start + len(records)} of {rows} records", flush=True)
        return np.concatenate(parts)

    def _values(self, records: Any, outputs: int) -> Numbers:
        """What each coalition of each record is worth."""
        members, absent = self._chosen.members, self.absent.height
        if not len(members):
            return np.zeros((len(records), 0, outputs))
        shape = (len(records), len(members), absent)
        missing = self._present.height + np.arange(absent)
        synthetic = pl.DataFrame(
            [
                column[np.where(members[None, :, j, None], records[:, None, None], missing).ravel()]
                for j, column in enumerate(self._both.iter_columns())
            ]
        )
        return self._link(self._model.scores(synthetic).reshape(*shape, -1).mean(axis=2))

    def _link(self, scores: Numbers) -> Numbers:
        """Log-odds of probabilities, where that is asked for; certainty is taken as nearly so."""
        if not self._shap.logit:
            return scores
        if (scores < 0).any() or (scores > 1).any():
            raise JobError(
                f"methods.shap.use_logit needs probabilities; the model answers {scores.min()} to {scores.max()}"
            )
        tiny = np.finfo(float).eps
        inside = np.clip(scores, tiny, 1 - tiny)
        result: Numbers = np.log(inside / (1 - inside))
        return result


def _side_by_side(present: pl.Series, absent: pl.Series) -> pl.Series:
    """A column of the records and below it of the baseline, of one type: the model must not see two ways of writing."""
    if present.dtype.is_numeric() and not (absent.dtype.is_numeric() or absent.dtype == pl.Null):
        try:
            absent = absent.cast(pl.Float64)
        except pl.exceptions.PolarsError:
            raise JobError(
                f"methods.shap.baseline: feature {present.name!r} is a number in the dataset, but {absent[0]!r} there"
            ) from None
    if absent.dtype.is_float() and present.dtype.is_integer() and bool((absent == absent.floor()).all()):
        absent = absent.cast(present.dtype)
    if not present.dtype.is_numeric():
        absent = absent.cast(pl.String)
    frames = [present.to_frame(), absent.alias(present.name).to_frame()]
    return pl.concat(frames, how="vertical_relaxed")[present.name]


def _say(rows: int, chosen: Coalitions, absent: int) -> None:
    how = "all" if chosen.exact else "a choice"
    print(
        f"shap: {rows} records, {len(chosen.members)} coalitions ({how}), {absent} baseline rows", flush=True
    )
