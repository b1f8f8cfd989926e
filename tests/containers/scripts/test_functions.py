"""The functions of a script that serves, and what is done without them; and the server around them."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
import torch
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.containers.scripts import content, frameworks
from algoport.containers.scripts.functions import Functions
from algoport.serving.refusals import Refusal
from tests.containers.scripts.conftest import ENVIRONMENT


def script(model: Path, text: str, name: str = "inference.py") -> Functions:
    (model / "code").mkdir(parents=True, exist_ok=True)
    (model / "code" / name).write_text(text)
    return Functions.of(model, {"SAGEMAKER_PROGRAM": name})


def test_each_function_takes_the_place_of_a_default(tmp_path: Path) -> None:
    functions = script(
        tmp_path,
        "def model_fn(folder, context):\n    return [folder, context.system_properties['model_dir']]\n"
        "def input_fn(body, content_type):\n    return (type(body).__name__, body, content_type)\n"
        "def predict_fn(data, model):\n    return data, model\n"
        "def output_fn(prediction, accept, context):\n"
        "    return repr(prediction) + context.request_headers['Accept'], 'text/plain'\n",
        "one.py",
    )
    model = functions.load(tmp_path)

    body, kind = functions.answer(model, tmp_path, b"1,2", "text/csv; charset=utf-8", "a/b")

    assert kind == "text/plain"
    assert body.decode() == f"{(('str', '1,2', 'text/csv; charset=utf-8'), [str(tmp_path), str(tmp_path)])!r}a/b"
    assert b"'bytes'" in functions.answer(model, tmp_path, b"\x00", "application/octet-stream", "a/b")[0]


def test_transform_fn_stands_for_three_and_with_none_of_them(tmp_path: Path) -> None:
    functions = script(
        tmp_path, "def model_fn(folder): return 3\ndef transform_fn(m, b, c, a): return b * m\n", "two.py"
    )

    assert functions.answer(functions.load(tmp_path), tmp_path, b"ab", "text/plain", "x/y") == (b"ababab", "x/y")
    with pytest.raises(UserError, match="has transform_fn, which stands for input_fn; give one or the other"):
        script(tmp_path, "def transform_fn(m, b, c, a): pass\ndef input_fn(b, c): pass\n", "three.py")


@pytest.mark.parametrize("kind", content.READ)
def test_arrays_are_read_and_written(kind: str) -> None:
    rows = np.array([[1.5, 0.0], [-2.0, 3.0]])
    if kind == content.NPZ:
        stream = io.BytesIO()
        sparse.save_npz(stream, sparse.csr_matrix(rows))
        assert (content.decode(stream.getvalue(), kind).toarray() == rows).all()
        return

    body, answered = content.encode(torch.from_numpy(rows), kind)

    assert answered == kind
    np.testing.assert_array_equal(content.decode(body, kind), rows)


def test_an_archive_that_would_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    sparse.save_npz(stream, sparse.csr_matrix((100, 100_000)))
    body = stream.getvalue()
    assert content.decode(body, content.NPZ).shape == (100, 100_000)
    monkeypatch.setattr(content, "MOST", 1000)

    with pytest.raises(Refusal, match="when unpacked, where 1,000 are read") as refused:
        content.decode(body, content.NPZ)

    assert refused.value.code == 413


@pytest.mark.parametrize(("body", "kind", "code"), [
    (b"1,x", content.CSV, 400), (b"{", content.JSON, 400), (b"\x93NUMPY", content.NPY, 400), (b"PK", content.NPZ, 400),
    (b"\xff", content.CSV, 400), (b"", "text/html", 415),
])  # fmt: skip
def test_what_cannot_be_read_is_refused(body: bytes, kind: str, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        content.decode(body, kind)

    assert refused.value.code == code


def test_an_empty_field_is_a_missing_value() -> None:
    np.testing.assert_array_equal(content.decode(b"1,,2\n3,4,5\n", "text/csv"), [[1, np.nan, 2], [3, 4, 5]])


def test_pickled_arrays_are_not_read() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([{}], object), allow_pickle=True)

    with pytest.raises(Refusal, match="cannot be read as application/x-npy"):
        content.decode(stream.getvalue(), content.NPY)


def test_torchscript_is_served_without_a_script_and_weights_are_not(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 1)
    torch.jit.script(network).save(tmp_path / "model.pt")
    functions = Functions.of(tmp_path, {})
    rows = np.array([[1.0, 2.0]], np.float32)

    body, _ = functions.answer(functions.load(tmp_path), tmp_path, b"1,2\n", "text/csv", content.NPY)

    wanted = network(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(np.load(io.BytesIO(body)), wanted, rtol=1e-6)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(UserError, match="must be TorchScript to be served without a model_fn"):
        functions.load(tmp_path)


def test_boosters_are_served_without_a_script(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 3))
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(rows, rows[:, 0]), 3)
    booster.save_model(tmp_path / "model.ubj")

    model = frameworks.load(tmp_path, "no script")

    np.testing.assert_array_equal(frameworks.predict(rows, model), booster.predict(xgboost.DMatrix(rows)))
    (tmp_path / "model.ubj").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UserError, match="must be JSON or UBJSON of XGBoost"):
        frameworks.load(tmp_path, "no script")


def test_a_model_that_no_framework_knows_needs_a_model_fn(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"")

    with pytest.raises(UserError, match="must have one file that can be loaded without a model_fn .* it has none"):
        Functions.of(tmp_path, {}).load(tmp_path)
    with pytest.raises(UserError, match="SAGEMAKER_PROGRAM: there is no missing.py in "):
        Functions.of(tmp_path, {"SAGEMAKER_PROGRAM": "missing.py"})


def test_a_script_is_served_until_it_is_stopped(tmp_path: Path) -> None:
    script(tmp_path, "def model_fn(folder): return 2\ndef predict_fn(data, model): return data * model\n", "served.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", str(tmp_path), "--port", str(port), "--script", str(tmp_path / "code/served.py")]
    environment = ENVIRONMENT | {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
    server = subprocess.Popen([sys.executable, "-m", "algoport.containers.cli", *words], env=environment)
    try:
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while time.monotonic() < end and server.poll() is None:
            try:
                if requests.get(f"{url}/ping", timeout=5).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        asked = requests.post(
            f"{url}/invocations", "[[1, 2]]", headers={"Content-Type": "application/json"}, timeout=30
        )
        wrong = requests.post(f"{url}/invocations", "[[1, 2]]", headers={"Content-Type": "text/html"}, timeout=30)
    finally:
        server.terminate()

    assert server.wait(30) == 0 and os.path.isdir(tmp_path)
    assert asked.json() == [[2, 4]] and asked.headers["Content-Type"] == "application/json"
    assert wrong.status_code == 415 and "Content-Type 'text/html'" in wrong.json()["message"]


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        ("raise FileNotFoundError('model.pt is not there')", 1, "FileNotFoundError: model.pt is not there"),
        (
            "from algoport.algorithms.contract.errors import UserError; raise UserError('a: must be b.')",
            2,
            "a: must be b.",
        ),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_server_with_a_sentence(
    tmp_path: Path, fault: str, code: int, sentence: str
) -> None:
    """With several workers, each of which fails: the second one's end used to be gunicorn's traceback."""
    script(tmp_path / "model", f"def model_fn(folder):\n    {fault}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_MODEL_SERVER_WORKERS": "3", "SAGEMAKER_BIND_TO_PORT": port}
    command = [sys.executable, "-m", "algoport.containers.scripts", "serve"]

    ended = subprocess.run(command, env=ENVIRONMENT | own, capture_output=True, text=True, timeout=120, check=False)

    log = ended.stdout + ended.stderr
    assert ended.returncode == code, log
    assert f"Unable to load model: {tmp_path / 'model'}: {sentence}" in log and "Traceback" not in log


def test_estimators_are_served_without_a_script_and_strange_types_are_not(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = linear_model.LogisticRegression().fit(rows, [0, 0, 1, 1])
    skops.dump(model, tmp_path / "model.skops")

    answered = frameworks.predict(rows, frameworks.load(tmp_path, "no script"))

    np.testing.assert_array_equal(answered, [0, 0, 1, 1])
    skops.dump({"run": os.system}, tmp_path / "model.skops")
    with pytest.raises(UserError, match="has types that only a model_fn may trust: posix.system"):
        frameworks.load(tmp_path, "no script")
