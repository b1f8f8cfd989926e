"""Pipe mode with real FIFOs, fed as the platform feeds them."""

import os
import struct
import threading
import time

import numpy as np
import pytest

from algoport.algorithms.contract.records import Rows
from algoport.training.formats import recordio
from tests.training.jobs import Place, csv, digits, digits_job

PIPE = {"TrainingInputMode": "Pipe"}


def feed(path, data, *, chunk=1 << 16, before=0.0, pause=0.0):
    """A thread that makes the FIFO, writes to it as soon as it is read, and closes it."""

    def work():
        time.sleep(before)
        os.mkfifo(path)
        try:
            with open(path, "wb", buffering=0) as pipe:
                for first in range(0, len(data), chunk):
                    pipe.write(data[first : first + chunk])
                    time.sleep(pause)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def framed(payload: bytes, flag: int = 0) -> bytes:
    return struct.pack("<II", 0xCED7230A, flag << 29 | len(payload)) + payload + bytes(-len(payload) % 4)


def place_of(tmp_path, channel=PIPE, **settings) -> Place:
    place = Place(tmp_path).settings(**settings).channels(train=channel)
    (tmp_path / "input/data").mkdir(parents=True, exist_ok=True)
    return place


def test_each_pass_reads_the_next_pipe_which_may_come_late_in_any_pieces(tmp_path):
    place = place_of(tmp_path, epochs=3)
    run = place.start()
    for number in range(3):
        feed(tmp_path / f"input/data/train_{number}", csv(digits()), chunk=4999, before=0.4 * number)

    run.wait()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 3 * len(digits())
    np.testing.assert_allclose(place.model[0]["mean"], digits().mean(axis=0, dtype=np.float64), rtol=1e-12)


def test_recordio_is_read_from_a_pipe_byte_by_byte(tmp_path):
    place = place_of(tmp_path, {**PIPE, "ContentType": "application/x-recordio-protobuf"})
    feed(tmp_path / "input/data/train_0", recordio.write(Rows(features=digits()[:9])), chunk=1, pause=0.0001)

    run = place.run()

    assert run.code == 0, run.log
    np.testing.assert_array_equal(place.model[0]["mean"], digits()[:9].astype(np.float64).mean(axis=0))


def test_objects_framed_as_recordio_are_unwrapped(tmp_path):
    """A line without an end at the end of an object is a line; and a frame may come in parts."""
    place = place_of(tmp_path, {**PIPE, "RecordWrapperType": "RecordIO"})
    first, second, third = (csv(rows) for rows in np.split(digits()[:900], 3))
    data = framed(first.rstrip(b"\n")) + framed(second) + framed(third.rstrip(b"\n"))
    feed(tmp_path / "input/data/train_0", data, chunk=777)

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 900


def test_a_frame_in_parts_has_the_magic_word_between_them(tmp_path):
    from algoport.training.channels import fifo

    magic = struct.pack("<I", 0xCED7230A)
    data = framed(b"abc" + b"x" * 6, 1) + framed(b"", 2) + framed(b"tail!", 3) + framed(b"next")
    path = tmp_path / "plain"
    path.write_bytes(data)

    with open(path, "rb") as pipe:
        objects = [part.read() for part in fifo.unwrap(pipe, "train_0")]

    assert objects == [b"abcxxxxxx" + magic + magic + b"tail!", b"next"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1,2,3\n" * 9, "train_0, object 1: must be framed as RecordIO, as RecordWrapperType says"),
        (framed(b"1,2\n" * 50)[:100], "train_0, object 1: ends "),
        (framed(csv(digits()[:2])) + b"\x0a\x23", "train_0, object 2: ends within its frame."),
    ],
)
def test_a_broken_frame_is_named_by_object(tmp_path, data, said):
    place = place_of(tmp_path, {**PIPE, "RecordWrapperType": "RecordIO"})
    feed(tmp_path / "input/data/train_0", data)

    assert place.run().code == 2
    assert said in place.failure


def test_a_pipe_that_is_closed_early_is_a_shorter_pass_and_an_empty_one_is_said(tmp_path):
    place = place_of(tmp_path, epochs=2)
    feed(tmp_path / "input/data/train_0", csv(digits()))
    feed(tmp_path / "input/data/train_1", csv(digits()[:10]))
    empty = place_of(tmp_path / "empty")
    feed(tmp_path / "empty/input/data/train_0", b"")

    assert place.run().code == 0
    assert place.model[1]["count"] == len(digits()) + 10
    assert empty.run().code == 2
    assert "Channel 'train' is required and has no records." in empty.failure


@pytest.mark.parametrize("where", ["train/part.csv", "train", "train_0", "train_0/part.csv"])
def test_files_in_place_of_a_pipe_are_read_as_in_file_mode(tmp_path, where):
    place = place_of(tmp_path, epochs=2).file(where, csv(digits()))

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 2 * len(digits())


def test_a_pipe_that_never_appears_is_given_up(tmp_path):
    run = place_of(tmp_path).run(ALGOPORT_PIPE_TIMEOUT="0.5")

    assert run.code == 1
    assert run.place.failure.startswith("InternalServerError: ")
    assert "train_0: the pipe must be there; it has not appeared for" in run.place.failure


def test_a_stop_is_noticed_while_a_pipe_is_silent(tmp_path):
    """The writer stays and writes nothing more after the first pass."""
    place = place_of(tmp_path, epochs=2)
    feed(tmp_path / "input/data/train_0", csv(digits()))
    os.mkfifo(tmp_path / "input/data/train_1")
    run = place.start()
    writer = os.open(tmp_path / "input/data/train_1", os.O_WRONLY)
    os.write(writer, csv(digits()[:3]))
    run.until("epoch=1,")
    time.sleep(0.3)

    run.stop().wait(10)
    os.close(writer)

    assert run.code == 0, run.log
    assert place.model[1]["count"] in (len(digits()), len(digits()) + 3)


def test_a_resumed_job_opens_the_first_pipe_and_skips_what_it_has_used(tmp_path):
    place = place_of(tmp_path, epochs=2, pause=0.05)
    (tmp_path / "checkpoints").mkdir()
    whole = digits_job(tmp_path / "whole", epochs=2)
    assert whole.run().code == 0
    feed(tmp_path / "input/data/train_0", csv(digits()))
    feed(tmp_path / "input/data/train_1", csv(digits()))
    run = place.start(ALGOPORT_CHECKPOINT_INTERVAL="0").until("epoch=1,")
    time.sleep(0.4)
    run.kill().wait()
    (tmp_path / "input/data/train_0").unlink()
    (tmp_path / "input/data/train_1").unlink()

    feed(tmp_path / "input/data/train_0", csv(digits()))
    again = place.run()

    assert again.code == 0, again.log
    assert "Resuming from checkpoint" in again.log
    np.testing.assert_array_equal(place.model[0]["trace"], whole.model[0]["trace"])


def test_two_hosts_share_out_a_replicated_pipe(tmp_path):
    from tests.training.test_cluster import HOSTS, finish, start

    places = [place_of(tmp_path / str(n)).host(HOSTS[n], HOSTS[:2]) for n in range(2)]
    for place in places:
        feed(place.base / "input/data/train_0", csv(digits()))

    runs = start(places)

    assert finish(runs) == [0, 0], runs[0].log
    assert places[0].model[1]["count"] == len(digits())


def test_memory_does_not_grow_with_the_stream(tmp_path):
    """Of 400 MB a process that keeps what it has read would have 300 MB more than of 100 MB."""
    peaks = []
    for megabytes in (100, 400):
        place = place_of(tmp_path / str(megabytes), mini_batch_size=5000)
        place.channels(train={**PIPE, "ContentType": "application/x-recordio-protobuf"})
        piece = recordio.write(Rows(features=np.tile(digits(), (2, 1))))

        def work(path=place.base / "input/data/train_0", piece=piece, megabytes=megabytes):
            with open(path, "wb", buffering=0) as pipe:
                for _ in range(megabytes * 1_000_000 // len(piece)):
                    pipe.write(piece)

        os.mkfifo(place.base / "input/data/train_0")
        threading.Thread(target=work, daemon=True).start()
        run = place.run()
        assert run.code == 0, run.log
        peaks.append(place.metrics["peak_memory_bytes"])

    assert peaks[1] - peaks[0] < 60e6
