"""What the image sagemaker-model-monitor-analyzer does, played for one container.

Formats and rules come from AWS's developer guide (the pages model-monitor-byoc-statistics, -byoc-constraints,
-interpreting-violations, -model-quality-metrics, -pre-and-post-processing), from what Deequ documents, which that image
builds on, and from output of the image that AWS's sample notebooks show. Where these are silent, this is what we do:

* **Types.** CSV fields and JSON strings are read as Deequ's ``DataType`` reads text: digits are Integral, digits with one
  point Fractional, anything else String: also ``true``, ``nan`` and ``1e-5`` (AWS's guide on model quality baselines says that
  scientific notation must be rewritten). One String makes the column String, one Fractional makes it Fractional. JSON
  numbers are numbers however they are written.
* **Missing** are an empty field, quoted or not, JSON's null, a key that a record lacks, and NaN in JSON or Parquet.
* **data_type_check** takes an Integral value where Fractional is expected, and anything where String or Unknown is: else a data
  set would break the constraints suggested from itself.
* **missing_column_check, extra_column_check** compare names. The guide speaks of the number of columns only, so a column
  that was renamed is found here as well.
* **Distances** are said in `distances`. A categorical drift by ChiSquared is flagged when the p-value is *below*
  ``categorical_comparison_threshold``.
* **Histograms** are listed for up to 120 distinct values (Deequ's threshold); domains are suggested for those String columns
  of which at most a tenth of the distinct values occur only once (Deequ's ``CategoricalRangeRule``). ``distinct_count`` is exact
  up to 2**20 values, and estimated to 0.1 % beyond.
* **Bucket counts** are drawn from the sketch, as Deequ draws them: exact up to 2048 values, then within 0.3 % of the data.
* **Best constant classifier** predicts the last label (the positive one): this reproduces both published examples, which
  the most frequent label does not.
* **Standard deviations** are the population's, over five samples of 80 % drawn without replacement, always by the same seed.
* A probability that *reaches* the threshold means the positive label. Without ``probability_attribute`` there are neither curves
  nor ``auc``. A metric whose denominator is zero is 0, as an undefined r2 is "NaN".
* CloudWatch metrics are not published.
"""

from __future__ import annotations

import sys

from ml_contract import JobError, missing_package

_POLARS = (1, 37)
"""Older ones drop what comes after a record that they cannot read, without a word."""


def main() -> int:
    """Run the analysis that the environment variables ask for.

    Returns:
        0, also when there are violations: whoever started the job judges.

    Raises:
        JobError: when the variables, the data or a script of the job's author are wrong.
    """
    try:  # packages, whose absence deserves a sentence
        import polars as pl

        from model_monitor import analysis
    except ImportError as error:
        if error.name is None or error.name.startswith("model_monitor"):
            raise
        raise missing_package(error.name, "checks") from None
    if tuple(map(int, pl.__version__.split(".")[:2])) < _POLARS:
        raise JobError(
            f"{sys.executable} has polars {pl.__version__}, which is too old to analyze data;"
            f" install polars>={'.'.join(map(str, _POLARS))} there (pip install 'sagelocal[checks]')"
        )
    return analysis.run()
