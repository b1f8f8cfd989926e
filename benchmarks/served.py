"""Servers that benchmarks ask: ours with a model of each kind, and MLServer with scikit-learn's K-Means."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.records import Images, Objects, Rows
from algoport.algorithms.shared import machine
from benchmarks.load import Call

ROOT = Path(__file__).parents[1]
MLSERVER = ROOT / ".peers" / "mlserver" / "bin"
CSV, JSON, LINES, PICTURE = "text/csv", "application/json", "application/jsonlines", "application/x-image"
K, TREES, PATHS, HORIZON = 10, 100, 100, 24
RAISED = 20  # seconds that an answer may take before there is none


@dataclass(frozen=True)
class Endpoint:
    """A server that runs, and what it is asked."""

    name: str
    process: subprocess.Popen[bytes]
    cases: Mapping[str, Call]
    first: float  # ms from its first healthy answer to the answer to the first request

    @property
    def ours(self) -> bool:
        """Whether it is not a peer."""
        return "Algoport" in self.name

    def recovered(self, seconds: float = RAISED) -> float | None:
        """Seconds until it answers a request with 200; None where it does not, or is not healthy meanwhile."""
        asked, start = next(iter(self.cases.values())), time.monotonic()
        while time.monotonic() - start < seconds:
            with urllib.request.urlopen(asked.url.replace("/invocations", "/ping"), timeout=5) as answer:
                if answer.status != 200:
                    return None
            if ask(asked) is not None:
                return round(time.monotonic() - start, 3)
            time.sleep(0.05)
        return None


Bodies = Mapping[str, tuple[str, bytes]]  # case: content type, body


@contextlib.contextmanager
def kmeans(folder: Path) -> Iterator[Endpoint]:
    """K-Means of the digits, ten clusters."""
    rows = digits().data
    channels = {"train": Rows(features=rows.astype(np.float32))}
    train("kmeans", folder, {"k": K, "feature_dim": rows.shape[1]}, channels)
    with ours("kmeans", folder, bodies(rows)) as served:
        yield served


@contextlib.contextmanager
def xgboost(folder: Path) -> Iterator[Endpoint]:
    """A hundred trees that tell digits below five from the others."""
    data = digits()
    label = (data.target > 4).astype(np.float32)[:, None]
    channels = {"train": Rows(features=data.data.astype(np.float32), label=label)}
    train("xgboost", folder, {"num_round": TREES, "objective": "binary:logistic"}, channels)
    asked = {case: body for case, body in bodies(data.data).items() if "CSV" in case}
    with ours("xgboost", folder, asked) as served:
        yield served


@contextlib.contextmanager
def deepar(folder: Path) -> Iterator[Endpoint]:
    """Hourly series; 100 paths of 24 steps for one of them, and for ten. Two layers of 40 cells, as by default."""
    random, at = np.random.default_rng(0), np.arange(24 * 21)
    day = 10 + 5 * np.sin(2 * np.pi * at / 24)
    targets = [(day * (1 + number % 5) + random.normal(size=len(at))).round(3).tolist() for number in range(20)]
    values = [{"start": "2024-01-01 00:00:00", "target": target} for target in targets]
    settings = {"time_freq": "H", "context_length": 24, "prediction_length": HORIZON, "epochs": 1}
    train("forecasting-deepar", folder, settings, {"train": Objects(values=values)})

    def asked(count: int) -> tuple[str, bytes]:
        chosen = {"num_samples": PATHS, "output_types": ["mean", "quantiles"], "quantiles": ["0.1", "0.5", "0.9"]}
        return JSON, json.dumps({"instances": values[:count], "configuration": chosen}).encode()

    cases = {f"1 series, {PATHS} paths of {HORIZON}": asked(1), f"10 series, {PATHS} paths of {HORIZON}": asked(10)}
    with ours("forecasting-deepar", folder, cases) as served:
        yield served


@contextlib.contextmanager
def resnet(folder: Path) -> Iterator[Endpoint]:
    """ResNet-18 for pictures of 224 by 224, asked about a JPEG of that size. How well it was trained is no matter."""
    import cv2

    random = np.random.default_rng(0)
    blurred = [cv2.resize(random.integers(0, 256, (14, 14, 3), np.uint8), (224, 224)) for _ in range(8)]
    files = [cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in blurred]
    label = (np.arange(8) % 2).astype(np.float32)[:, None]
    settings = {"num_classes": 10, "num_training_samples": 8, "num_layers": 18, "mini_batch_size": 8, "epochs": 1}
    pictures = Images(encoded=files, label=label)
    train("image-classification", folder, settings, {"train": pictures, "validation": pictures})
    with ours("image-classification", folder, {"1 picture of 224 x 224": (PICTURE, files[0])}) as served:
        yield served


@contextlib.contextmanager
def mlserver(folder: Path) -> Iterator[Endpoint | None]:
    """MLServer with scikit-learn's K-Means of the same rows, as many workers; None where it is not installed."""
    if not (MLSERVER / "mlserver").is_file():
        print("MLServer is not installed (make bench-mlserver); our rows stand alone.", file=sys.stderr)
        yield None
        return
    rows, port = digits().data, free_port()
    np.save(folder / "digits.npy", rows)
    place = folder / "served"
    place.mkdir()
    program = (
        "import joblib, numpy, sklearn.cluster as c;"
        f"joblib.dump(c.KMeans({K}, n_init=1, random_state=0).fit(numpy.load({str(folder / 'digits.npy')!r})), "
        f"{str(place / 'model.joblib')!r})"
    )
    subprocess.run([str(MLSERVER / "python"), "-c", program], check=True)
    model = {"name": "kmeans", "implementation": "mlserver_sklearn.SKLearnModel"}
    (place / "model-settings.json").write_text(json.dumps(model | {"parameters": {"uri": "./model.joblib"}}))
    server = {"debug": False, "parallel_workers": machine.cores(), "http_port": port, "grpc_port": free_port()}
    (place / "settings.json").write_text(json.dumps(server | {"metrics_port": free_port()}))
    with running([str(MLSERVER / "mlserver"), "start", str(place)], os.environ, folder) as process:
        url = f"http://127.0.0.1:{port}/v2/models/kmeans"
        until(f"{url}/ready", process)
        cases = {
            case: Call(f"{url}/infer", JSON, _v2(np.resize(rows, (count, rows.shape[1]))))
            for case, count in (("1 row, JSON", 1), ("1,000 rows, JSON", 1000))
        }
        yield Endpoint("MLServer, scikit-learn KMeans", process, cases, _first(cases))


SERVERS: dict[str, Callable[[Path], Any]] = {
    "kmeans": kmeans,
    "mlserver": mlserver,
    "xgboost": xgboost,
    "forecasting-deepar": deepar,
    "image-classification": resnet,
}


def train(name: str, folder: Path, settings: Mapping[str, object], channels: Mapping[str, Any]) -> None:
    """A model in the folder's `model`."""
    declared = algorithms.part(name, "hyperparameters").Hyperparameters.read(dict(settings))
    job: Any = Job(hyperparameters=declared, channels={key: Memory(records) for key, records in channels.items()})
    with contextlib.redirect_stdout(sys.stderr):
        algorithms.part(name, "train").fit(job).save(folder / "model")


@contextlib.contextmanager
def ours(name: str, folder: Path, asked: Bodies, **more: str) -> Iterator[Endpoint]:
    """Our server with the model that lies there, once it is healthy and has answered every case."""
    port = free_port()
    environment = {**os.environ, "ALGORITHM": name, "SAGEMAKER_BASE_DIR": str(folder), "PYTHONPATH": str(ROOT), **more}
    environment |= {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": str(machine.cores())}
    with running([sys.executable, "-m", "algoport.serving"], environment, folder) as process:
        until(f"http://127.0.0.1:{port}/ping", process)
        url = f"http://127.0.0.1:{port}/invocations"
        cases = {case: Call(url, media, body) for case, (media, body) in asked.items()}
        yield Endpoint(f"Algoport {name}", process, cases, _first(cases))


def digits() -> Any:
    """scikit-learn's digits: 1,797 rows of 64."""
    from sklearn.datasets import load_digits

    return load_digits()


def bodies(rows: Any) -> dict[str, tuple[str, bytes]]:
    """One row and a thousand, in CSV and in JSON."""

    def text(some: Any) -> bytes:
        return b"".join(",".join(f"{value:g}" for value in row).encode() + b"\n" for row in some)

    def listed(some: Any) -> bytes:
        return json.dumps({"instances": [{"features": row.tolist()} for row in some]}).encode()

    many = np.resize(rows, (1000, rows.shape[1]))
    return {
        "1 row, CSV": (CSV, text(rows[:1])),
        "1,000 rows, CSV": (CSV, text(many)),
        "1 row, JSON": (JSON, listed(rows[:1])),
        "1,000 rows, JSON": (JSON, listed(many)),
    }


def _v2(rows: Any) -> bytes:
    tensor = {"name": "rows", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


def _first(cases: Mapping[str, Call]) -> float:
    """How long the first request takes, in ms. Then every case is asked by each worker, so that nothing is still
    compiled, which outside images happens at first use, when it is measured."""
    seconds = []
    for asked in [case for case in cases.values() for _ in range(8 * machine.cores())]:
        start = time.perf_counter()
        if ask(asked, 300) is None:
            raise SystemExit(f"{asked.url}: a {asked.media} of {len(asked.body)} bytes is not answered.")
        seconds.append(time.perf_counter() - start)
    return round(1000 * seconds[0], 1)


def ask(asked: Call, seconds: float = RAISED) -> bytes | None:
    """The answer, or None where there is none."""
    request = urllib.request.Request(asked.url, asked.body, {"Content-Type": asked.media})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it starts, for the length of the block; its log lies in `home`."""
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=dict(environment), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(url: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Waits until it is healthy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.02)
    raise SystemExit(f"{url}: no server answered.")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
