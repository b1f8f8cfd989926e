"""The main job from raw rows to answers over HTTP, on scikit-learn's handwritten digits. No Docker needed.

`python -m benchmarks.demo [FOLDER]` leaves an ml folder (input, model, output) that an image can be run on, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALGORITHM = "kmeans"
HYPERPARAMETERS = {"k": "20", "feature_dim": "64", "mini_batch_size": "500", "epochs": "10", "eval_metrics": '["msd"]'}
CSV, JSON, PROTOBUF = "text/csv", "application/json", "application/x-recordio-protobuf"
TEST_ROWS = 297


def main() -> int:
    """Train, serve, ask, draw; the exit code of the part that fails."""
    base = Path(sys.argv[1] if len(sys.argv) > 1 else "demo").resolve()
    rows, digits = _lay_out(base)
    _say(f"1. Training K-Means on {len(rows)} handwritten digits of 8 x 8 pixels, in {base}")
    # On a new machine the job compiles its kernels first, and says so: a phase of its own in the log and in metrics.
    code = subprocess.run(
        [sys.executable, "-P", "-m", "algoport.training"], env=_environment(base), check=False
    ).returncode
    if code != 0:
        print((base / "output/failure").read_text() if (base / "output/failure").exists() else "", file=sys.stderr)
        return code
    _say("2. Serving the model, and asking it for the clusters of three digits")
    with _server(base) as address:
        some = [int(np.flatnonzero(digits == digit)[0]) for digit in (0, 4, 6)]
        _ask(address, rows[some], digits[some])
    picture = base / "output/data/centers.png"
    _draw(base, rows, digits, picture)
    _say("3. Where everything lies")
    for path, what in (
        (base / "input", "settings and data, as an image gets them"),
        (base / "model", "the model: model.safetensors and model.json"),
        (base / "output/data/metrics.json", "the metrics of the job"),
        (picture, "the centers as a picture"),
    ):
        print(f"   {path}  {what}")
    return 0


def _lay_out(base: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """An ml folder with the digits as CSV, shuffled, the last ones in the test channel."""
    from sklearn.datasets import load_digits

    for part in ("input", "model", "output"):
        shutil.rmtree(base / part, ignore_errors=True)
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    rows, digits = data.data[order], data.target[order]
    parts = {"train": rows[:-TEST_ROWS], "test": rows[-TEST_ROWS:]}
    for channel, part in parts.items():
        folder = base / "input/data" / channel
        folder.mkdir(parents=True)
        np.savetxt(folder / "digits.csv", part, fmt="%d", delimiter=",")
    config = base / "input/config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
    channel = {"TrainingInputMode": "File", "ContentType": "text/csv;label_size=0"}
    (config / "inputdataconfig.json").write_text(json.dumps(dict.fromkeys(parts, channel)))
    return rows[:-TEST_ROWS], digits[:-TEST_ROWS]


def _environment(base: Path) -> dict[str, str]:
    return {**os.environ, "ALGORITHM": ALGORITHM, "SAGEMAKER_BASE_DIR": str(base)}


@contextlib.contextmanager
def _server(base: Path) -> Iterator[str]:
    """The address of a server on a free port, for as long as it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {**_environment(base), "SAGEMAKER_BIND_TO_PORT": port, "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
    began = time.monotonic()
    server = subprocess.Popen([sys.executable, "-P", "-m", "algoport.serving", "serve"], env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                urllib.request.urlopen(address + "/ping", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                if server.poll() is not None or time.monotonic() - began > 60:
                    raise SystemExit("The server did not start; its log above says why.") from None
                time.sleep(0.05)
        print(f"   /ping answered {time.monotonic() - began:.2f} s after the start, at {address}")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _ask(address: str, rows: NDArray[np.float64], digits: NDArray[np.int64]) -> None:
    """The same rows as CSV, JSON and protobuf, answered as CSV, JSON and JSON Lines."""
    from algoport.algorithms.contract.records import Rows
    from algoport.training.formats import recordio

    table = "\n".join(",".join(f"{value:g}" for value in row) for row in rows)
    instances = json.dumps({"instances": [{"features": row.tolist()} for row in rows]})
    frames = recordio.write(Rows(features=rows.astype(np.float32)))
    print(f"   they are pictures of {', '.join(map(str, digits))}")
    for body, kind, accept in (
        (table.encode(), CSV, CSV),
        (instances.encode(), JSON, JSON),
        (frames, PROTOBUF, "application/jsonlines"),
    ):
        request = urllib.request.Request(
            address + "/invocations", body, {"Content-Type": kind, "Accept": accept}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode().strip()
        print(f"   {kind} ({len(body)} bytes) -> {accept}")
        print("      " + text.replace("\n", "\n      "))


def _draw(base: Path, rows: NDArray[np.float64], digits: NDArray[np.int64], path: Path) -> None:
    """Every center as a picture, named by the digit that most of its rows show."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from safetensors.numpy import load_file

    centers = load_file(base / "model/model.safetensors")["centers"]
    nearest = ((rows[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
    figure, axes = plt.subplots(2, len(centers) // 2, figsize=(len(centers) * 0.7, 3.8), layout="constrained")
    for number, axis in enumerate(axes.flat):
        mine = digits[nearest == number]
        axis.imshow(centers[number].reshape(8, 8), cmap="gray_r", interpolation="nearest")
        most = np.bincount(mine, minlength=10)
        axis.set_title(f"{most.argmax()}: {most.max()} of {len(mine)}", fontsize=9)
        axis.axis("off")
    figure.suptitle(
        f"{len(centers)} centers of {len(rows)} handwritten digits, each with the digit it mostly stands for"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
