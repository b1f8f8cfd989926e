"""How many requests a server answers and how soon, with wrk on the same machine, beside MLServer.

    python -m benchmarks.serving [--seconds 10] [--overload 60] [--json]

Needs `wrk` (Debian's package) and, for the peer, MLServer in an environment of its own (`make bench-mlserver`); without
it our rows stand alone. Both serve K-Means of scikit-learn's digits from two workers and are asked about the same rows:
ours in CSV and in its JSON, MLServer in its own JSON. The load comes from one thread of wrk, on the same cores.

Saturation is the best of several numbers of connections. At half of it, requests come at that pace (each connection
waits between its requests), and the 99th percentile is the figure. Overload is four times as many connections as
saturate it, for a minute: every request must be answered, with 200 or 503, and the memory must stay what it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algorithms import machine
from benchmarks.measure import RESULTS, header

ROOT = Path(__file__).parents[1]
MLSERVER = ROOT / ".peers" / "mlserver" / "bin"
CONNECTIONS = (2, 4, 8, 16, 32)
GOAL_SPEED, GOAL_P99 = 2.0, 10.0  # times MLServer's requests/s; ms at half of saturation
K = 10


@dataclass(frozen=True)
class Served:
    """A server that runs, and how it is asked for one row and for a thousand."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    bodies: Mapping[str, tuple[str, bytes]]  # case: content type, body


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: float  # a second
    p50: float  # ms
    p99: float
    answered: int
    refused: int  # neither 2xx nor 3xx
    lost: int  # connect, read, write, timeout
    connections: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--overload", type=int, default=60, help="seconds; 0: leave it out")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is needed: apt-get install wrk", file=sys.stderr)
        return 2
    rows = list(measured(given.seconds, given.overload))
    facts = {**header(), "wrk": _version("wrk", "-v"), "mlserver": _mlserver_version()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "serving.json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
    if given.json:
        print("\n".join(json.dumps(row) for row in rows))
        return 0
    print(f"{facts['machine']}, {facts['cores']} cores\n")
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    return 0


def measured(seconds: int, overload: int) -> Iterator[dict[str, Any]]:
    """A row a case and server."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for serve in (ours_kmeans, theirs_kmeans, ours_xgboost):
            with serve(folder) as served:
                if served is None:
                    continue
                for case, (media, body) in served.bodies.items():
                    script = _script(folder, media, body)
                    best = max(
                        (wrk(served.url, script, connections, seconds) for connections in CONNECTIONS),
                        key=lambda load: load.requests,
                    )
                    half = at_rate(served.url, folder, media, body, best, seconds)
                    yield _row(served.name, case, best, half)
                if overload and "algoport" in served.name:
                    yield overloaded(served, folder, overload)


def _row(name: str, case: str, best: Load, half: Load) -> dict[str, Any]:
    return {
        "server": name,
        "case": case,
        "requests_s": round(best.requests, 1),
        "connections": best.connections,
        "p50_ms": best.p50,
        "p99_ms": best.p99,
        "half_requests_s": round(half.requests, 1),
        "half_p50_ms": half.p50,
        "half_p99_ms": half.p99,
        "goal_p99_ms": GOAL_P99 if "algoport" in name else None,
        "refused": best.refused + half.refused,
        "lost": best.lost + half.lost,
    }


def at_rate(url: str, folder: Path, media: str, body: bytes, best: Load, seconds: int) -> Load:
    """Half of the requests/s that saturate it: connections that wait, at random so that they do not come as one."""
    connections = 16
    pause = max(0.0, 1000 * connections / (max(best.requests, 0.1) / 2) - best.p50 / 2)
    script = _script(folder, media, body, f"function delay() return math.random(0, {2 * pause:.0f}) end")
    return wrk(url, script, connections, seconds)


def overloaded(served: Served, folder: Path, seconds: int) -> dict[str, Any]:
    """Four times the connections that saturate it; then it must be healthy, and no larger than it was."""
    media, body = next(iter(served.bodies.values()))
    before = _memory(served.process.pid)
    load = wrk(served.url, _script(folder, media, body), 4 * CONNECTIONS[-1], seconds)
    after = _memory(served.process.pid)
    healthy = _answers(served.url.removesuffix("/invocations") + "/ping")
    return {
        "server": served.name,
        "case": f"overload, {4 * CONNECTIONS[-1]} connections, {seconds} s",
        "answered": load.answered,
        "refused_503": load.refused,
        "lost": load.lost,
        "p99_ms": load.p99,
        "memory_before_mb": round(before / 1e6),
        "memory_after_mb": round(after / 1e6),
        "healthy_after": healthy,
    }


def wrk(url: str, script: Path, connections: int, seconds: int) -> Load:
    """One run."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spread = dict(re.findall(r"^\s+(50|99)%\s+(\S+)\s*$", text, re.MULTILINE))
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    total, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+(\S+)", text)
    if not (total and rate and len(spread) == 2):
        raise SystemExit(f"wrk saw no answer:\n{' '.join(command)}\n{text}")
    return Load(
        requests=float(rate[1]),
        p50=_milliseconds(spread["50"]),
        p99=_milliseconds(spread["99"]),
        answered=int(total[1]),
        refused=int(refused[1]) if refused else 0,
        lost=sum(map(int, lost.groups())) if lost else 0,
        connections=connections,
    )


def _script(folder: Path, media: str, body: bytes, more: str = "") -> Path:
    content, script = folder / "body", folder / "ask.lua"
    content.write_bytes(body)
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "{media}"\n'
        f'local file = io.open("{content}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n{more}\n'
    )
    return script


def _milliseconds(text: str) -> float:
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return round(float(number) * units[unit], 3)


def _digits() -> Any:
    from sklearn.datasets import load_digits

    return load_digits()


def _bodies(rows: Any) -> dict[str, tuple[str, bytes]]:
    def text(some: Any) -> bytes:
        return b"".join(",".join(f"{value:g}" for value in row).encode() + b"\n" for row in some)

    def listed(some: Any) -> bytes:
        return json.dumps({"instances": [{"features": row.tolist()} for row in some]}).encode()

    many = np.resize(rows, (1000, rows.shape[1]))
    return {
        "1 row, CSV": ("text/csv", text(rows[:1])),
        "1,000 rows, CSV": ("text/csv", text(many)),
        "1 row, JSON": ("application/json", listed(rows[:1])),
        "1,000 rows, JSON": ("application/json", listed(many)),
    }


@contextlib.contextmanager
def ours_kmeans(folder: Path) -> Iterator[Served | None]:
    """K-Means of the digits, ten clusters."""
    rows = _digits().data
    np.savetxt(folder / "digits.csv", rows, fmt="%g", delimiter=",")
    settings = {"k": K, "feature_dim": rows.shape[1]}
    _train("kmeans", folder / "kmeans", f"{folder / 'digits.csv'};text/csv;label_size=0", settings)
    with _serving("kmeans", folder / "kmeans") as (url, process):
        yield Served("algoport kmeans", f"{url}/invocations", process, _bodies(rows))


@contextlib.contextmanager
def ours_xgboost(folder: Path) -> Iterator[Served | None]:
    """A hundred trees that tell digits below five from the others."""
    digits = _digits()
    table = np.c_[digits.target > 4, digits.data]
    np.savetxt(folder / "labeled.csv", table, fmt="%g", delimiter=",")
    settings = {"num_round": 100, "objective": "binary:logistic"}
    _train("xgboost", folder / "xgboost", f"{folder / 'labeled.csv'};text/csv", settings)
    with _serving("xgboost", folder / "xgboost") as (url, process):
        bodies = {case: body for case, body in _bodies(digits.data).items() if "CSV" in case}
        yield Served("algoport xgboost, 100 trees", f"{url}/invocations", process, bodies)


@contextlib.contextmanager
def theirs_kmeans(folder: Path) -> Iterator[Served | None]:
    """MLServer with scikit-learn's K-Means of the same rows, two workers; None where it is not installed."""
    if not (MLSERVER / "mlserver").is_file():
        print("MLServer is not installed (make bench-mlserver); our rows stand alone.", file=sys.stderr)
        yield None
        return
    place = folder / "mlserver"
    place.mkdir()
    rows, port = _digits().data, _free_port()
    np.save(folder / "digits.npy", rows)
    program = (
        "import joblib, numpy, sklearn.cluster as c;"
        f"joblib.dump(c.KMeans({K}, n_init=1, random_state=0).fit(numpy.load({str(folder / 'digits.npy')!r})), "
        f"{str(place / 'model.joblib')!r})"
    )
    subprocess.run([str(MLSERVER / "python"), "-c", program], check=True)
    model = {"name": "kmeans", "implementation": "mlserver_sklearn.SKLearnModel"}
    (place / "model-settings.json").write_text(json.dumps(model | {"parameters": {"uri": "./model.joblib"}}))
    server = {"debug": False, "parallel_workers": machine.cores(), "http_port": port, "grpc_port": _free_port()}
    (place / "settings.json").write_text(json.dumps(server | {"metrics_port": _free_port()}))
    with _running([str(MLSERVER / "mlserver"), "start", str(place)], os.environ, folder) as process:
        url = f"http://127.0.0.1:{port}/v2/models/kmeans"
        _until(f"{url}/ready", process)
        bodies = {
            case: ("application/json", _v2(np.resize(rows, (count, rows.shape[1]))))
            for case, count in (("1 row, JSON", 1), ("1,000 rows, JSON", 1000))
        }
        yield Served("mlserver, scikit-learn KMeans", f"{url}/infer", process, bodies)


def _v2(rows: Any) -> bytes:
    tensor = {"name": "rows", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


def _train(name: str, folder: Path, channel: str, settings: Mapping[str, object]) -> None:
    command = [sys.executable, "-m", "containers.cli", "train", name, "--output", str(folder), "--train", channel]
    for key, value in settings.items():
        command += ["--hp", f"{key}={value}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


@contextlib.contextmanager
def _serving(name: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = _free_port()
    environment = {**os.environ, "ALGORITHM": name, "SAGEMAKER_BASE_DIR": str(folder)}
    environment |= {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": str(machine.cores())}
    with _running([sys.executable, "-m", "serving"], environment) as process:
        _until(f"http://127.0.0.1:{port}/ping", process)
        yield f"http://127.0.0.1:{port}", process


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], home: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        cwd=home,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
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


def _until(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        if _answers(url):
            return
        time.sleep(0.1)
    raise SystemExit(f"{url}: no server answered.")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _memory(parent: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            mine = status.parent.name == str(parent) or re.search(rf"^PPid:\t{parent}$", text, re.MULTILINE)
            resident = re.search(r"^VmRSS:\s+(\d+)", text, re.MULTILINE)
            total += int(resident[1]) * 1024 if mine and resident else 0
    return total


def _version(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("Copyright")[0].strip()


def _mlserver_version() -> str | None:
    if not (MLSERVER / "mlserver").is_file():
        return None
    return _version(str(MLSERVER / "mlserver"), "--version")


if __name__ == "__main__":
    sys.exit(main())
