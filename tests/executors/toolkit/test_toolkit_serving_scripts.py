"""The toolkit serves a model with its author's script, as the serving toolkits of AWS's images do."""

from __future__ import annotations

import io
import json
from typing import Any

import joblib  # type: ignore[import-untyped]  # it has no types for mypy
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
FEATURES, LABELS = load_diabetes(return_X_y=True)
ROWS = FEATURES[:7].astype(np.float32)
ROWS_CSV = "".join(",".join(str(value) for value in row) + "\n" for row in ROWS.tolist())
LOAD = """
import os, joblib
def model_fn(model_dir): return joblib.load(os.path.join(model_dir, "model.joblib"))
"""
MIRROR = """
import json
def model_fn(model_dir): return model_dir
def input_fn(body, content_type): return [type(body).__name__, content_type, len(body)]
def predict_fn(data, model): return data
def output_fn(prediction, accept): return json.dumps([*prediction, accept])
"""


@pytest.fixture(name="forest")
def _forest(container: Any) -> RandomForestRegressor:
    """A model, saved into the container together with the shortest script that loads it."""
    forest = RandomForestRegressor(n_estimators=5, random_state=1).fit(FEATURES, LABELS)
    container.write("model/code/inference.py", LOAD)
    joblib.dump(forest, container.root / "model/model.joblib")
    return forest


def npy(values: Any) -> bytes:
    memory = io.BytesIO()
    np.save(memory, values)
    return memory.getvalue()


@pytest.mark.parametrize("family", ["sklearn", "generic"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(ROWS_CSV, CSV), (json.dumps(ROWS.tolist()), JSON), (npy(ROWS), NPY), (json.dumps(ROWS.tolist()), None)],
)
def test_a_script_with_model_fn_alone_predicts_what_the_model_does(
    forest: RandomForestRegressor, serve: Any, family: str, body: Any, content_type: str | None
) -> None:
    serving = serve(family)
    expected = forest.predict(ROWS)

    assert json.loads(serving.predicted(body, content_type)) == expected.tolist()
    assert serving.predicted(body, content_type, CSV) == "".join(f"{each}\n" for each in expected.tolist())
    answer = serving.invoke(body, content_type, NPY)
    assert np.array_equal(np.load(io.BytesIO(answer.content)), expected)
    assert answer.headers["content-type"] == NPY


def test_a_single_row_is_predicted_with_a_word_about_awss_image(
    forest: RandomForestRegressor, serve: Any
) -> None:
    serving = serve("sklearn")

    answers = [serving.predicted(line, CSV, CSV) for line in ROWS_CSV.splitlines()]

    assert "".join(answers) == "".join(f"{each}\n" for each in forest.predict(ROWS).tolist())
    assert serving.log.count("hands this CSV, a single row or column, to predict as a flat array") == 1


def test_rows_of_several_columns_become_lines_with_commas(container: Any, serve: Any) -> None:
    container.write("model/code/inference.py", "def model_fn(model_dir): return lambda data: data * 2")

    assert serve("generic").predicted("1.0,2.5\n3.5,4.0\n", CSV, CSV) == "2.0,5.0\n7.0,8.0\n"


def test_other_types_than_the_defaults_know_are_refused(forest: Any, serve: Any) -> None:
    serving = serve("sklearn")

    wrong = serving.invoke("<a/>", "application/xml")
    unwanted = serving.invoke(ROWS_CSV, CSV, "image/png")

    assert (wrong.status_code, unwanted.status_code) == (415, 406)
    assert "application/xml is not supported" in wrong.text
    assert "image/png is not supported" in unwanted.text
    assert serving.invoke(b"\xff\xfe", CSV).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "seen"),
    [
        (JSON, "str"),
        (CSV, "str"),
        ("text/csv; charset=utf-8", "str"),
        ("text/plain", "bytes"),
        (NPY, "bytes"),
    ],
)
def test_functions_get_text_as_str_and_all_else_as_bytes(
    container: Any, serve: Any, content_type: str, seen: str
) -> None:
    container.write("model/code/inference.py", MIRROR)

    assert json.loads(serve("sklearn").predicted(b"abc", content_type)) == [seen, content_type, 3, JSON]


def test_an_absent_type_is_json_and_an_absent_accept_the_models_default(container: Any, serve: Any) -> None:
    container.write("model/code/inference.py", MIRROR)

    serving = serve("generic", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=CSV)

    assert json.loads(serving.predicted(b"")) == ["str", JSON, 0, CSV]
    assert json.loads(serving.predicted(b"", CSV, "a/b")) == ["str", CSV, 0, "a/b"]
    assert serving.invoke(b"").headers["content-type"] == CSV


@pytest.mark.parametrize(
    ("returned", "body", "content_type"),
    [
        ("b'12'", b"12", CSV),
        ("'wörter'", "wörter".encode(), CSV),
        ("('1|2', 'text/pipes')", b"1|2", "text/pipes"),
        ("{'a': [1, 2]}", b'{"a": [1, 2]}', CSV),
        ("0.5", b"0.5", CSV),
        ("None", b"", CSV),
    ],
)
def test_output_fn_returns_what_it_likes(
    container: Any, serve: Any, returned: str, body: bytes, content_type: str
) -> None:
    container.write(
        "model/code/inference.py", MIRROR + f"def output_fn(prediction, accept): return {returned}\n"
    )

    answer = serve("generic").invoke("x", CSV, CSV)

    assert (answer.content, answer.headers["content-type"]) == (body, content_type)


def test_handlers_that_take_a_context_see_the_request_and_shape_the_answer(
    container: Any, serve: Any
) -> None:
    container.write(
        "model/code/inference.py",
        "def model_fn(model_dir, context): return context.system_properties['model_dir']\n"
        "def input_fn(body, content_type, context):\n"
        "    return context.get_request_header(0, 'X-Amzn-SageMaker-Custom-Attributes')\n"
        "def predict_fn(data, model): return [data, model]\n"
        "def output_fn(prediction, accept, context):\n"
        "    sent = context.request_processor[0].get_request_properties()['Content-Type']\n"
        "    context.set_response_header(0, 'X-Amzn-SageMaker-Custom-Attributes', 'seen\\r\\nX-Evil: 1')\n"
        "    context.set_response_content_type(0, 'text/plain')\n"
        "    context.set_response_status(202)\n"
        "    return ' '.join([*prediction, sent])\n",
    )

    answer = serve("generic").invoke("1", CSV, **{"X-Amzn-SageMaker-Custom-Attributes": "trace=7"})

    assert answer.text == f"trace=7 {container.root / 'model'} text/csv"
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "seen X-Evil: 1"
    assert "x-evil" not in answer.headers


def test_xgboosts_script_mode_makes_matrices_of_csv_and_libsvm(container: Any, serve: Any) -> None:
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(FEATURES, LABELS), 4)
    (container.root / "model").mkdir()
    booster.save_model(container.root / "model/mine.ubj")
    container.write(
        "model/code/serve_it.py",
        "import os, xgboost\n"
        "def model_fn(model_dir): return xgboost.Booster(model_file=os.path.join(model_dir, 'mine.ubj'))\n",
    )
    libsvm = "\n".join(
        "3 " + " ".join(f"{n}:{value}" for n, value in enumerate(row)) for row in ROWS.tolist()
    )
    expected = booster.predict(xgboost.DMatrix(ROWS))
    serving = serve("xgboost", SAGEMAKER_PROGRAM="serve_it.py")

    assert serving.predicted(ROWS_CSV, CSV, CSV) == "".join(str(each) + "\n" for each in expected)
    assert json.loads(serving.predicted(libsvm, "text/libsvm")) == expected.tolist()
    assert serving.invoke("[[1]]", JSON).status_code == 415


def test_scripts_written_for_awss_packages_find_them(container: Any, serve: Any) -> None:
    container.write(
        "model/code/featurizer.py",
        "from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker\n"
        "from sagemaker_inference import decoder, errors\n"
        "from sagemaker_xgboost_container import encoder as xgb_encoders\n"
        "def model_fn(model_dir): return None\n"
        "def input_fn(body, content_type):\n"
        "    if content_type == 'text/libsvm': return xgb_encoders.decode(body, content_type)\n"
        "    if content_type == 'text/teapot': raise errors.BaseInferenceToolkitError(418, 'short', 'stout')\n"
        "    return decoder.decode(body, content_type)\n"
        "def predict_fn(data, model): return data.num_col() if hasattr(data, 'num_col') else data\n"
        "def output_fn(prediction, accept):\n"
        "    return worker.Response(encoders.encode(prediction, accept), mimetype=accept)\n",
    )
    serving = serve("xgboost", SAGEMAKER_PROGRAM="featurizer.py")

    assert serving.predicted("1,2\n3,4\n", CSV, JSON) == "[[1, 2], [3, 4]]"
    assert serving.predicted("1 0:1 6:2", "text/libsvm", JSON) == "7"
    assert serving.invoke("x", "text/unknown").status_code == 415
    assert serving.invoke("[[1]]", JSON, "text/unknown").status_code == 406
    refused = serving.invoke("x", "text/teapot")
    assert (refused.status_code, refused.text) == (418, "short")


TORCH = """
import numpy
calm = False
class Tensor:
    def __init__(self, values): self.values = values
    def to(self, device): assert device == "cpu"; return self
    def detach(self): return self
    def cpu(self): return self
    def numpy(self): return self.values
def FloatTensor(values): return Tensor(numpy.asarray(values, "float32"))
def from_numpy(values): return Tensor(values)
def device(name): return name
class cuda:
    def is_available(): return False
class no_grad:
    def __enter__(self): global calm; calm = True
    def __exit__(self, *_): global calm; calm = False
"""


def test_a_script_that_uses_pytorch_gets_and_gives_tensors(container: Any, serve: Any) -> None:
    """PyTorch itself is too big for this: a module with the few functions that are called stands in for it."""
    container.write("model/code/torch.py", TORCH)
    container.write(
        "model/code/inference.py",
        "import torch\n"
        "class Net:\n"
        "    def to(self, device): return self\n"
        "    def eval(self): self.ready = True\n"
        "    def __call__(self, data):\n"
        "        assert self.ready and torch.calm and isinstance(data, torch.Tensor)\n"
        "        return torch.Tensor(numpy.append(data.values * 2, [[data.values.itemsize] * 2], 0))\n"
        "def model_fn(model_dir): return Net()\n"
        "import numpy\n",
    )
    serving = serve("generic")

    assert json.loads(serving.predicted("[[1, 2.5]]", JSON)) == [[2, 5], [4, 4]]
    assert json.loads(serving.predicted(npy(np.array([[1, 2.5]])), NPY)) == [[2, 5], [8, 8]]
    assert serving.predicted("[[1, 2.5]]", JSON, CSV) == "2.0,5.0\n4.0,4.0\n"
