"""Several members, as processes on loopback addresses: how they meet, share out, lose each other, and leave."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import count

import numpy as np
import pytest

from algoport.algorithms.contract.errors import PlatformError, Stopped
from algoport.training.cluster import meeting
from algoport.training.configuration import Hosts
from algoport.training.stop import Stop
from tests.faults.work import INJECTION
from tests.training.jobs import QUICK, Place, csv, digits, digits_job

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
SLOW = {"epochs": 1000, "pause": 0.02, "mini_batch_size": 300}
_ports = count()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def hosts(base, n, *, sharded=False, **settings) -> list[Place]:
    """The same job laid out for n hosts, whose names come in another order than they are sorted in."""
    places = []
    for number in range(n):
        place = digits_job(base / str(number), **settings).host(HOSTS[number], HOSTS[:n][::-1])
        if sharded:
            place.channels(train={"S3DistributionType": "ShardedByS3Key"})
            for other in range(3):
                if other % n != number:
                    (place.base / f"input/data/train/part-{other}.csv").unlink()
        places.append(place)
    return places


def start(places, **environment):
    port = free_port()
    return [place.start(MASTER_PORT=port, **QUICK, **environment) for place in places]


def finish(runs, timeout=60.0):
    for run in runs:
        run.wait(timeout)
    return [run.code for run in runs]


@pytest.mark.parametrize(("n", "sharded"), [(2, False), (3, True)])
def test_members_find_the_same_mean_as_one_and_only_the_first_writes_it(tmp_path, n, sharded):
    places = hosts(tmp_path, n, sharded=sharded, epochs=2)

    runs = start(places)

    assert finish(runs) == [0] * n, "\n".join(run.log for run in runs)
    arrays, facts = places[0].model
    assert facts["count"] == 2 * len(digits())
    np.testing.assert_array_equal(arrays["mean"], digits().astype(np.float64).mean(axis=0))
    for run, place in zip(runs[1:], places[1:], strict=True):
        assert not (place.base / "model").exists()
        assert "#quality_metric" not in run.log
    assert f"{n} members met" in runs[0].log


def test_a_host_without_data_takes_part(tmp_path):
    places = hosts(tmp_path, 2, sharded=True)
    for path in (places[1].base / "input/data/train").iterdir():
        path.unlink()

    runs = start(places)

    assert finish(runs) == [0, 0], runs[1].log
    assert places[0].model[1]["count"] == len(digits()) - 800  # the middle file was the other's


def test_when_all_hosts_are_empty_all_say_so(tmp_path):
    places = hosts(tmp_path, 2, sharded=True)
    for place in places:
        for path in (place.base / "input/data/train").iterdir():
            path.unlink()

    assert finish(start(places)) == [2, 2]
    assert all("Channel 'train' is required and has no records." in place.failure for place in places)


@pytest.mark.parametrize("late", [0, 1])
def test_a_late_host_is_waited_for(tmp_path, late):
    places = hosts(tmp_path, 2)
    port = free_port()
    early = places[1 - late].start(MASTER_PORT=port, **QUICK)
    time.sleep(2.5)

    assert finish([early, places[late].start(MASTER_PORT=port, **QUICK)]) == [0, 0]


@pytest.mark.parametrize("absent", [0, 2])
def test_hosts_that_never_come_are_named(tmp_path, absent):
    places = hosts(tmp_path, 3)
    there = [place for number, place in enumerate(places) if number != absent]

    runs = start(there, ALGOPORT_RENDEZVOUS_TIMEOUT="5")

    assert finish(runs) == [1, 1]
    for place in there:
        assert place.failure.startswith("InternalServerError: ")
        assert HOSTS[absent] in place.failure
    if absent:
        assert "No answer from 127.0.0.3 within" in places[0].failure


def test_a_name_that_does_not_resolve_is_said(tmp_path):
    place = digits_job(tmp_path).host("b-host.invalid", ["a-host.invalid", "b-host.invalid"])

    run = place.run(ALGOPORT_RENDEZVOUS_TIMEOUT="1", **QUICK)

    assert run.code == 1
    assert place.failure.startswith("InternalServerError: Host a-host.invalid, port 7777, did not answer for ")


@pytest.mark.parametrize("killed", [0, 2])
def test_a_killed_host_ends_the_others_which_name_it(tmp_path, killed):
    places = hosts(tmp_path, 3, **SLOW)
    runs = start(places)
    runs[0].until("epoch=1,")

    runs[killed].kill()
    start_time = time.monotonic()
    survivors = [run for number, run in enumerate(runs) if number != killed]
    codes = finish(survivors, 20)

    assert codes == [1, 1]
    assert time.monotonic() - start_time < 8
    for run in survivors:
        assert run.place.failure.startswith(f"InternalServerError: Lost host {HOSTS[killed]}: no sign of life")
    runs[killed].wait()


@pytest.mark.parametrize("killed", [0, 1])
def test_a_host_that_is_gone_once_all_have_met_is_named(tmp_path, killed):
    """The others wait for it in a library, which would tell after ten minutes."""
    places, port = hosts(tmp_path, 2), free_port()
    dies = {"FAULTS": json.dumps({"dies": "connecting"}), "PYTHONPATH": str(INJECTION)}
    runs = [
        place.start(MASTER_PORT=port, **QUICK, **(dies if number == killed else {}))
        for number, place in enumerate(places)
    ]

    runs[killed].wait()
    start_time = time.monotonic()

    assert finish([runs[1 - killed]], 20) == [1]
    assert time.monotonic() - start_time < 8
    assert places[1 - killed].failure.startswith(f"InternalServerError: Lost host {HOSTS[killed]}")


def test_the_first_host_need_not_know_the_others_by_name(tmp_path):
    names = {"algo-1": ("127.0.0.1", 0), "algo-2": ("127.0.0.2", 1e9)}
    places = [digits_job(tmp_path / name).host(name, list(names)) for name in names]
    odd, port = {"FAULTS": json.dumps({"names": names}), "PYTHONPATH": str(INJECTION)}, free_port()

    runs = [place.start(MASTER_PORT=port, **QUICK, **odd) for place in places]

    assert finish(runs) == [0, 0], runs[0].log
    assert places[0].model[1]["count"] == len(digits())


def test_a_host_that_hangs_without_a_word_is_lost_too(tmp_path):
    """Its connections stay open, so that no error comes: only the missing signs of life tell."""
    places = hosts(tmp_path, 2, **SLOW)
    runs = start(places)
    runs[0].until("epoch=1,")
    children = os.popen(f"ps -o pid= --ppid {runs[1].process.pid}").read().split()

    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    codes = finish(runs[:1], 20)
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    runs[1].wait()

    assert codes == [1]
    assert places[0].failure.startswith("InternalServerError: Lost host 127.0.0.2: no sign of life")


@pytest.mark.parametrize("faulty", [0, 1])
def test_the_failure_of_one_is_the_reason_of_all(tmp_path, faulty):
    places = hosts(tmp_path, 3, fault="user", faulty=faulty, **SLOW)

    runs = start(places)

    assert finish(runs, 20) == [2, 2, 2], "\n".join(run.log for run in runs)
    for number, place in enumerate(places):
        who = "" if number == faulty else f"Host {HOSTS[faulty]}: "
        assert place.failure.startswith(f"ClientError: {who}train/part-3.csv, line 121: not a row of numbers")


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_stop_at_one_host_ends_all_with_a_model(tmp_path, stopped):
    places = hosts(tmp_path, 2, **SLOW)
    runs = start(places)
    runs[0].until("epoch=1,")

    runs[stopped].stop()

    assert finish(runs, 20) == [0, 0]
    assert places[0].model[1]["count"] >= len(digits())


def test_all_hosts_say_by_their_exit_code_that_one_was_stopped_where_that_is_asked_for(tmp_path):
    """Whoever starts the stopped host again has to start the others, too."""
    places = hosts(tmp_path, 2, **SLOW)
    runs = start(places, ALGOPORT_STOPPED_CODE="143")
    runs[0].until("epoch=1,")

    runs[1].stop()

    assert finish(runs, 20) == [143, 143]
    assert places[0].model[1]["count"] >= len(digits())


def test_a_stop_while_others_are_waited_for_ends_those_who_came(tmp_path):
    places = hosts(tmp_path, 3)
    runs = start(places[:2])
    time.sleep(4)

    runs[1].stop()

    assert finish(runs, 10) == [0, 0]
    assert all("none is left" in run.log for run in runs)


def test_a_host_that_is_stopped_before_it_has_found_the_first_leaves_word(tmp_path):
    places = hosts(tmp_path, 3)
    runs = start([places[0], places[2]])

    runs[1].until("Reading default").stop()

    assert finish(runs, 20) == [0, 0], runs[0].log
    assert all("none is left" in run.log for run in runs)


def test_a_host_that_is_stopped_looks_for_the_first_a_little_longer(monkeypatch):
    monkeypatch.setattr(meeting, "WORD", 1.0)
    stop, port = Stop(), free_port()
    stop.count, stop.since = 1, time.monotonic()
    named = Hosts(current=HOSTS[1], names=tuple(HOSTS[:2]))
    waiting = meeting._Waiting(stop, time.monotonic() + 60)

    with pytest.raises(Stopped):
        meeting._await_first(named, int(port), waiting)
    assert 1.0 <= time.monotonic() - stop.since < 10.0

    stop.since = time.monotonic()
    first = threading.Timer(0.3, lambda: listeners.append(socket.create_server((HOSTS[0], int(port)))))
    listeners: list[socket.socket] = []
    first.start()
    try:
        assert meeting._await_first(named, int(port), waiting)[0] == HOSTS[0]
    finally:
        first.join()
        listeners[0].close()


@pytest.mark.parametrize("gone", [False, True])
def test_a_first_host_that_is_gone_or_silent_once_it_was_found_is_named_soon(monkeypatch, gone):
    monkeypatch.setattr(meeting, "CONNECT", 0.5)
    monkeypatch.setattr(meeting, "CALL", 2.0)
    with socket.create_server((HOSTS[0], 0)) as listener:
        port, start_time = listener.getsockname()[1], time.monotonic()
        if gone:
            listener.close()
        with pytest.raises(PlatformError, match="Lost host the first while the hosts met"):
            meeting._client(HOSTS[0], port, "the first", meeting._Waiting(Stop(), start_time + 60))

    assert time.monotonic() - start_time < 20


def test_interrupted_and_resumed_is_uninterrupted_with_two_hosts(tmp_path):
    settings = {"epochs": 4, "mini_batch_size": 100}
    whole = hosts(tmp_path / "whole", 2, **settings)
    assert finish(start(whole)) == [0, 0]
    parts = hosts(tmp_path / "parts", 2, pause=0.03, **settings)
    for place in parts:
        place.config("checkpointconfig", {"LocalPath": str(place.base / "kept")})

    runs = start(parts, ALGOPORT_CHECKPOINT_INTERVAL="0.1")
    runs[0].until("epoch=2,")
    time.sleep(0.2)
    runs[0].kill()
    codes = finish(runs)
    (parts[1].base / "output/failure").unlink()
    again = start(parts)

    assert codes == [-9, 1]
    assert finish(again) == [0, 0], again[0].log
    assert "Resuming from checkpoint" in again[0].log
    for name, array in whole[0].model[0].items():
        np.testing.assert_array_equal(parts[0].model[0][name], array)


def test_members_of_one_machine_meet_without_network(tmp_path):
    place = digits_job(tmp_path, epochs=2)

    run = place.run(ALGOPORT_LOCAL_MEMBERS="3")

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 2 * len(digits())
    assert run.log.count("#quality_metric") == 2


def test_members_of_one_machine_take_turns_with_the_records_of_a_shard(tmp_path):
    place = digits_job(tmp_path).channels(train={"S3DistributionType": "ShardedByS3Key"})

    run = place.run(ALGOPORT_LOCAL_MEMBERS="2")

    assert run.code == 0, run.log
    assert place.model[1]["count"] == len(digits())


def test_folders_of_their_own_can_meet_in_a_file(tmp_path):
    places = [digits_job(tmp_path / name).host(name, ["a", "b"]) for name in ("a", "b")]

    runs = [place.start(ALGOPORT_RENDEZVOUS=f"file://{tmp_path}/members", **QUICK) for place in places]

    assert finish(runs) == [0, 0], runs[1].log
    assert places[0].model[1]["count"] == len(digits())


@pytest.mark.parametrize("fault", ["kill", "user"])
def test_a_process_that_ends_badly_ends_the_others_of_its_host(tmp_path, fault):
    place = digits_job(tmp_path, fault=fault, faulty=1, **SLOW)

    run = place.run(ALGOPORT_LOCAL_MEMBERS="2", **QUICK)

    assert run.code == (2 if fault == "user" else 1)
    if fault == "user":
        assert "train/part-3.csv, line 121" in place.failure
    else:
        assert "algo-1 (process 2 of 2)" in place.failure or "SIGKILL" in place.failure


def test_a_channel_that_only_one_host_has_is_read_there(tmp_path):
    places = hosts(tmp_path, 2)
    places[1].channels(train={}, test={}).file("test/a.csv", csv(digits()[:100]))

    runs = start(places)

    assert finish(runs) == [0, 0], runs[0].log
    assert "test gap <loss>=" in runs[0].log


GATHERING = """
import contextlib, sys, types
import numpy as np
from torch import distributed
from algoport.training.cluster.joined import ProcessGroup
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1)
group = ProcessGroup(0, 1, types.SimpleNamespace(watching=contextlib.nullcontext))
for dtype in "?bBhHiIlLefd":
    array = np.arange(6).reshape(3, 2).astype(dtype)
    (part,) = group.gather(array)
    assert part.dtype == array.dtype and (part == array).all(), dtype
distributed.destroy_process_group()  # a thread of its would now and then outlive the interpreter, and abort it
"""


def test_arrays_of_every_dtype_are_gathered(tmp_path):
    """gloo itself knows neither uint16, uint32 nor uint64."""
    command = [sys.executable, "-c", GATHERING, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
