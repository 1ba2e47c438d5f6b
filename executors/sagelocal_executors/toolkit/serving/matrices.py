"""CSV and libsvm as features for XGBoost (source: AWS's sagemaker-xgboost-container)."""

from __future__ import annotations

import io
import re
from typing import Any

from ml_contract import missing_package

from serving.codecs import UnsupportedFormatError
from serving.exchange import media_type

try:
    import numpy as np
except ImportError:
    raise missing_package("numpy", "xgboost") from None

CSV = "csv"
LIBSVM = "libsvm"
FORMATS = {"csv": CSV, "text/csv": CSV, "libsvm": LIBSVM, "text/libsvm": LIBSVM, "text/x-libsvm": LIBSVM}
_DELIMITERS = ",\t;|"


def decode(body: Any, content_type: str) -> Any:
    """The DMatrix that script mode's predict_fn gets by default.

    Raises:
        UnsupportedFormatError: it is of another type.
    """
    form = FORMATS.get(media_type(content_type))
    if form is None:
        raise UnsupportedFormatError(content_type)
    import xgboost  # the author's, which may have been imported together with scikit-learn

    text = body if isinstance(body, str) else body.decode("utf-8")
    return xgboost.DMatrix(parse(text, form))


def parse(text: str, form: str) -> Any:
    """Rows of features: dense for CSV, sparse for libsvm.

    Raises:
        ValueError: a field is no number, or the rows differ in length.
    """
    return _csv(text.strip()) if form == CSV else _libsvm(text.strip())


def guess(text: str) -> str:
    """The format of data that nobody has named: libsvm if any word of the first line is ``index:value``, else CSV."""
    first = text.lstrip()[:4096].partition("\n")[0]
    return LIBSVM if re.search(r"(?:^|\s)\d+:\S", first) else CSV


def _csv(text: str) -> Any:
    """An empty field is a missing value; there is no label and no header."""
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    try:
        if not re.search(r"\n[ \t\r]*\n", text):  # the fast reader takes no empty line for a missing value
            return np.loadtxt(
                io.StringIO(text), delimiter=delimiter, dtype=np.float32, ndmin=2, comments=None
            )
    except ValueError:
        pass  # a field is missing, or it is no CSV: the patient reader knows
    rows = [[field.strip() or "nan" for field in line.split(delimiter)] for line in text.split("\n")]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"the rows have different numbers of columns: {', '.join(map(str, sorted(widths)))}")
    return np.array(rows, dtype=np.float32)


def _libsvm(text: str) -> Any:
    """``[label] index:value …`` per line; an index is the column's number as it stands, a label is passed over."""
    from scipy import sparse  # type: ignore[import-untyped]  # scipy has no types for mypy

    rows, columns, values = [], [], []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        for word in line.split():
            index, colon, value = word.partition(":")
            if colon:
                rows.append(number)
                columns.append(int(index))
                values.append(float(value))
    if not values:
        raise ValueError("no word is index:value")
    return sparse.csr_matrix(
        (np.array(values, np.float32), (rows, columns)), shape=(len(lines), max(columns) + 1)
    )
