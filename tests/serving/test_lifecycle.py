"""Start, readiness, overload, death and end of the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from algoport.algorithms.shared import artifact
from tests.serving.servers import CSV, JSON, message, put, serving, start


def until(true, seconds: float = 10) -> None:
    """Waits for what must come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SAGEMAKER_MULTI_MODEL": "maybe"}, "SAGEMAKER_MULTI_MODEL: must be true or false; it is 'maybe'."),
        ({"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/html"}, "must be one of application/json"),
        ({"ALGORITHM": "summs"}, "ALGORITHM: must be one of"),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_sentence(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    put(tmp_path / "model")
    server = start(tmp_path, **environment)

    assert server.ended() == 2
    assert says in server.output and "Traceback" not in server.output and server.output.count("\n") == 1


def test_a_model_that_is_not_there_stops_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stray.tar.gz").write_bytes(b"nothing")
    server = start(tmp_path)

    assert server.ended() == 2
    assert server.output.count("\n") == 1 and "Unable to load model: " in server.output
    assert str(tmp_path / "model") in server.output and "there is no model in this folder" in server.output


def test_half_a_model_is_not_served(tmp_path: Path) -> None:
    put(tmp_path / "model")
    (tmp_path / "model" / artifact.UNFINISHED).touch()
    server = start(tmp_path)

    assert server.ended() == 2
    assert server.output.count("\n") == 1 and "the job that wrote this one was interrupted" in server.output


def test_a_model_that_cannot_be_loaded_stops_the_start_with_one_line(tmp_path: Path) -> None:
    put(tmp_path / "model", broken=True)
    server = start(tmp_path)

    assert server.ended() == 1
    assert server.output.count("\n") == 1 and "RuntimeError: broken on purpose" in server.output


def test_a_model_that_takes_too_long_to_load_stops_the_start(tmp_path: Path) -> None:
    put(tmp_path / "model", sleep=30)
    server = start(tmp_path, SAGEMAKER_STARTUP_TIMEOUT="0.5")

    assert server.ended() == 1
    assert "took longer than 0.5 seconds" in server.output


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        server = start(tmp_path, SAGEMAKER_BIND_TO_PORT=str(listener.getsockname()[1]))

        assert server.ended() == 1
        assert server.output.count("\n") == 1 and "cannot be listened on" in server.output


def test_a_term_while_the_model_is_loading_ends_the_server_with_zero(tmp_path: Path) -> None:
    put(tmp_path / "model", sleep=30)
    server = start(tmp_path)
    time.sleep(1.5)

    server.process.terminate()

    assert server.ended(5) == 0


def test_the_start_is_quick_and_quiet_and_leaves_the_model_alone(tmp_path: Path) -> None:
    """A folder that nobody may write, and that has strays."""
    model = put(tmp_path / "model")
    (model / "model.tar.gz").write_bytes(b"the archive it came from")
    before = sorted(path.name for path in model.iterdir())
    model.chmod(stat.S_IRUSR | stat.S_IXUSR)

    with serving(tmp_path) as server:
        assert server.ask("1,2,3").json()["sums"][0]["sum"] == 6
        lines = server.output.splitlines()

    assert sorted(path.name for path in model.iterdir()) == before
    assert len(lines) == 2 and "1 worker" in lines[0] and "Ready after" in lines[1]
    assert float(lines[1].split("Ready after ")[1].split()[0]) < 6  # 1 s where nothing else computes
    assert server.process.returncode == 0 and server.output.splitlines() == lines


def test_only_the_port_is_listened_on(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path) as server:
        listening = set()
        for process in (server.process.pid, *server.workers):
            links = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir() if entry.is_symlink()}
            for table in ("tcp", "tcp6", "udp", "udp6"):
                for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    if f"socket:[{fields[9]}]" in links and (fields[3] == "0A" or table.startswith("udp")):
                        listening.add((table, int(fields[1].rpartition(":")[2], 16)))

        assert listening == {("tcp", server.port)}


def test_a_request_that_runs_at_a_term_is_finished_and_none_is_taken_after(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.sleepy, 1.5)
        time.sleep(0.5)
        server.process.terminate()
        time.sleep(0.3)
        server.process.terminate()  # a second one does no harm

        with pytest.raises(requests.ConnectionError):
            server.get("/ping")
        assert running.result().json() == {"sums": [{"sum": 6.0, "positive": 3}]}
        assert server.ended(8) == 0
        assert "Traceback" not in server.output


def test_a_request_that_does_not_end_does_not_keep_the_server_from_its_end(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.sleepy, 60)
        time.sleep(0.5)
        began = time.monotonic()
        server.process.terminate()

        assert server.ended(9.5) == 0
        assert time.monotonic() - began < 8.5
        with pytest.raises(requests.ConnectionError):
            running.result()


def test_a_worker_that_is_killed_is_replaced_and_others_answer_meanwhile(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        until(lambda: len(server.workers) == 2)
        time.sleep(0.5)
        first = server.workers

        os.kill(first[0], signal.SIGKILL)
        answers = [server.ask("1,2,3").status_code for _ in range(20)]

        assert set(answers) == {200}
        until(lambda: len(server.workers) == 2 and first[0] not in server.workers)
        assert server.get("/ping").status_code == 200


def test_nobody_waits_for_a_worker_that_is_not_ready_while_another_one_is(tmp_path: Path) -> None:
    put(tmp_path / "model", first=3.0)
    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        time.sleep(1)  # until the second is ready, too
        first = server.workers
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(server.workers) == 2 and first[0] not in server.workers)

        slowest, end = 0.0, time.monotonic() + 1.5
        while time.monotonic() < end:
            began = time.monotonic()
            assert server.ask("1,2,3").status_code == 200
            slowest = max(slowest, time.monotonic() - began)

        assert slowest < 1.5


def test_a_prediction_that_ends_its_worker_does_not_end_the_server(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path) as server:
        body = json.dumps({"instances": [{"features": [1, 2, 3]}], "configuration": {"fail": "exit"}})

        with pytest.raises(requests.ConnectionError):
            server.ask(body, JSON)

        server.wait()
        assert server.ask("1,2,3").status_code == 200


def test_a_health_check_is_not_queued_and_too_many_requests_are_a_503(tmp_path: Path) -> None:
    put(tmp_path / "model")
    limits = {"ALGOPORT_CONCURRENT_PREDICTIONS": "2", "ALGOPORT_WAITING_REQUESTS": "3"}
    with serving(tmp_path, **limits) as server, ThreadPoolExecutor(12) as pool:
        running = [pool.submit(server.sleepy, 1.0) for _ in range(12)]
        time.sleep(0.5)
        began = time.monotonic()
        healthy = [server.get(path).status_code for path in ("/ping", "/metrics", "/execution-parameters") * 3]
        took = time.monotonic() - began
        answers = [entry.result() for entry in running]

        assert set(healthy) == {200} and took < 0.5
        codes = [answer.status_code for answer in answers]
        assert codes.count(200) == 5 and codes.count(503) == 7
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert "places" in message(refused, 503) and refused.headers["Retry-After"] == "1"


def test_nobody_waits_for_answers_to_clients_that_have_gone(tmp_path: Path) -> None:
    """Two that wait to be asked to sleep, and leave: who comes after them is answered as soon as the first one is."""
    put(tmp_path / "model")
    body = json.dumps({"instances": [{"features": [1, 2, 3]}], "configuration": {"sleep": 5}}).encode()
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    with serving(tmp_path, ALGOPORT_CONCURRENT_PREDICTIONS="1") as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.sleepy, 1.5)
        time.sleep(0.3)
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", server.port)) as leaving:
                leaving.sendall(head.encode() + body)
                time.sleep(0.2)
        began = time.monotonic()

        answer = server.ask("1,2,3")

        assert answer.status_code == 200 and time.monotonic() - began < 4
        assert running.result().status_code == 200
        assert 'algoport_requests_total{code="499",route="/invocations"} 2.0' in server.get("/metrics").text


def test_a_request_that_takes_too_long_is_given_up_and_its_worker_replaced(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_TIMEOUT="1") as server:
        worker = server.workers

        began = time.monotonic()
        sentence = message(server.sleepy(20), 503)

        assert "did not end within 1 seconds" in sentence and time.monotonic() - began < 3
        until(lambda: server.workers and server.workers != worker, 15)
        server.wait()
        assert server.ask("1,2,3").status_code == 200


def test_a_server_is_not_healthy_before_its_first_prediction_is_made(tmp_path: Path) -> None:
    put(tmp_path / "model", first=1.0)
    server = start(tmp_path)
    try:
        codes = []
        end = time.monotonic() + 20
        while 200 not in codes and time.monotonic() < end:
            try:
                codes.append(server.get("/ping").status_code)
            except requests.ConnectionError:
                time.sleep(0.02)

        assert set(codes[:-1]) == {503} and codes[-1] == 200
        assert server.ask("1,2,3").status_code == 200
    finally:
        server.process.terminate()
        server.ended()


def test_a_batch_answer_ends_as_a_line(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path, SAGEMAKER_BATCH="True") as server:
        want = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 6}
        assert server.get("/execution-parameters").json() == want
        assert server.ask("1,2,3\n4,5,6\n", CSV, CSV).text == "6.0,3\n15.0,3\n"


def test_metrics_count_the_requests_of_all_workers_together(tmp_path: Path) -> None:
    put(tmp_path / "model")
    default = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2", **default) as server:
        assert server.ask("1,2,3", CSV, "*/*").content == b"6.0,3\n"
        for worker in server.workers:  # what they counted is not lost with them, however they end
            os.kill(worker, signal.SIGABRT)
        until(lambda: "exited with code 1" in server.output)
        server.wait()
        for _ in range(30):
            server.ask("1,2,3\n4,5,6")
        server.ask("a,b,c")

        page = server.get("/metrics").text

    assert 'algoport_requests_total{code="200",route="/invocations"} 31.0' in page
    assert 'algoport_requests_total{code="400",route="/invocations"} 1.0' in page
    assert "algoport_records_total 61.0" in page
    assert 'algoport_request_seconds_count{route="/invocations"} 32.0' in page
    assert "algoport_requests_inside 0.0" in page


def test_many_clients_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    put(tmp_path / "model")
    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:

        def client(number: int) -> list[float]:
            with requests.Session() as session:
                url, headers = f"{server.url}/invocations", {"Content-Type": CSV}
                return [
                    session.post(url, f"{number},{i},0", headers=headers, timeout=30).json()["sums"][0]["sum"]
                    for i in range(25)
                ]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(client, range(8)))

    assert answers == [[float(number + i) for i in range(25)] for number in range(8)]
