"""What clients, the machine and whoever sends signals do to a server, and what it must bear."""

from __future__ import annotations

import contextlib
import gzip
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import disk
from tests.serving.servers import CSV, JSON, Server, message, put, serving
from tests.serving.test_lifecycle import until

CONNECTIONS = 1000
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: "


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """As many open files as a test needs, or as a server may have that is started within."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(server: Server, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(count)]


def slowest(times: int, ask: Callable[[], object]) -> float:
    """Seconds of the slowest of several calls."""
    most = 0.0
    for _ in range(times):
        began = time.monotonic()
        ask()
        most = max(most, time.monotonic() - began)
    return most


def test_a_thousand_clients_that_send_a_byte_at_a_time_keep_nobody_waiting(tmp_path: Path) -> None:
    """Half of them never come to the end of a head, half of them stop in the middle of a body."""
    put(tmp_path / "model")
    texts = [HEAD + b"9000\r\n\r\n1,2,3\n" + b"4,5,6\n" * 1400, HEAD[:-16] + b"X-Long: " + b"y" * 8000]
    over = threading.Event()
    with descriptors(2 * CONNECTIONS), serving(tmp_path) as server:
        clients = connected(server, CONNECTIONS)
        for client in clients:
            client.setblocking(False)

        def trickle() -> None:
            for place in range(8000):
                for number, client in enumerate(clients):
                    with contextlib.suppress(OSError):
                        client.send(texts[number % 2][place : place + 1])
                if over.wait(0.1):
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            time.sleep(0.5)
            healthy = slowest(15, lambda: server.get("/ping").raise_for_status())
            answer = slowest(5, lambda: server.ask("1,2,3").raise_for_status())
        finally:
            over.set()
            sender.join()
            for client in clients:
                client.close()

    assert healthy < 0.25 and answer < 0.5


def test_a_request_that_never_ends_is_told_so(tmp_path: Path) -> None:
    """With less patience, as the test has."""
    put(tmp_path / "model")
    (tmp_path / "sitecustomize.py").write_text("from algoport.serving import arrival\narrival.PATIENCE = 0.5\n")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    with serving(tmp_path, **path) as server:
        (client,) = connected(server, 1)
        client.sendall(b"POST /invocations HTTP/1.1\r\nHo")
        answer = client.recv(4096)
        assert client.recv(4096) == b""
        client.close()

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n") and b'"code": 408' in answer


def test_more_idle_connections_than_file_descriptors_end_nothing(tmp_path: Path) -> None:
    put(tmp_path / "model")
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("the limit of a running process cannot be set here")
    with serving(tmp_path) as server:
        for process in (server.process.pid, *server.workers):
            subprocess.run([prlimit, "--nofile=64:64", f"--pid={process}"], check=True)
        worker = server.workers
        os.kill(worker[0], signal.SIGKILL)  # the next one begins with that limit
        until(lambda: server.workers and server.workers != worker, 15)
        server.wait()
        worker = server.workers

        idle = connected(server, 150)
        healthy = slowest(3, lambda: server.get("/ping").raise_for_status())

        assert server.ask("1,2,3").json()["sums"][0]["sum"] == 6
        assert healthy < 0.25 and server.workers == worker and "Traceback" not in server.output
        for client in idle:
            client.close()


@pytest.mark.parametrize("many", [False, True])
def test_signals_that_would_reload_are_passed_over_with_a_word(tmp_path: Path, many: bool) -> None:
    put(tmp_path / "model")
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL=str(many).lower()) as server:
        until(lambda: len(server.workers) == 1)
        workers = server.workers
        for number in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2):
            server.process.send_signal(number)
        os.kill(workers[0], signal.SIGHUP)
        until(lambda: server.output.count("is passed over") == 5)

        assert server.get("/ping").status_code == 200
        assert server.workers == workers and "Traceback" not in server.output


def test_a_full_disk_keeps_no_worker_from_its_work(tmp_path: Path) -> None:
    """The folder for temporary files has no room; a worker ends there, and a server starts there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    if not disk.mountable(tmp_path / "probe"):
        pytest.skip("a small disk can be mounted by root only")
    put(tmp_path / "model")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "tmpfs", str(folder)], check=True)
    try:
        with contextlib.suppress(OSError):
            (folder / "all").write_bytes(bytes(1 << 17))
        (folder / "another").touch()
        with serving(tmp_path, TMPDIR=str(folder)) as server:
            assert server.ask("1,2,3").status_code == 200
            os.kill(server.workers[0], signal.SIGKILL)
            until(lambda: "SIGKILL" in server.output)
            server.wait()

            assert server.ask("1,2,3", CSV, JSON).status_code == 200
            assert "algoport_records_total 2.0" in server.get("/metrics").text
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_body_that_is_cut_off_is_a_400_on_the_wire(server: Server) -> None:
    body = b"1,2,3\n4,5,6\n"
    for text in (
        HEAD + b"20\r\n\r\n" + body,
        HEAD + b"20\r\n\r\n",
        HEAD.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\n6\r\n1,2,3\n\r\n"),
        HEAD.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\nC\r\n1,2,3\n"),
    ):
        answer = server.raw(text)

        assert answer.startswith(b"HTTP/1.1 400 ") and b"lost on the way" in answer and b"sums" not in answer
    assert message(server.ask("1,2"), 400)


def test_an_answer_that_memory_does_not_last_for_is_refused_before_it_is_made(tmp_path: Path) -> None:
    """24 million rows in 100 KB of gzip: the records are too many; a third of them are not, but their answer is. The
    other client is answered all the time."""
    put(tmp_path / "model", width=2)
    codes, over = set(), threading.Event()
    with serving(tmp_path, ALGOPORT_MEMORY=str(1 << 30)) as server:

        def other() -> None:
            while not over.is_set():
                codes.add(server.ask("1,2").status_code)

        client = threading.Thread(target=other)
        client.start()
        try:
            for millions in (24, 8):
                body = gzip.compress(b"1,2\n" * (millions * 1_000_000), 1)
                refused = server.ask(body, headers={"Content-Encoding": "gzip"})
                assert "send fewer records at a time" in message(refused, 413)
        finally:
            over.set()
            client.join()
        status = Path(f"/proc/{server.workers[0]}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) << 10

    assert codes == {200} and peak < 1 << 30
