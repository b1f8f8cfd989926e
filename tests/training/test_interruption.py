"""Stops and interruptions: a stop leaves a model, and an interrupted job resumes to the result of a whole one."""

import os
import signal
import time

import numpy as np

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared import artifact
from algoport.training import checkpoints
from algoport.training.stop import Stop
from tests.training.jobs import digits, digits_job

SLOW = {"pause": 0.05, "mini_batch_size": 100}


def test_a_stop_ends_the_job_with_a_servable_model_and_exit_code_0(tmp_path):
    run = digits_job(tmp_path, epochs=1000, **SLOW).start().until("epoch=1,")
    start = time.monotonic()

    run.stop().stop().wait(20)

    assert run.code == 0, run.log
    assert time.monotonic() - start < 5
    assert "stopped after" in run.log
    assert run.place.model[1]["count"] >= len(digits())
    assert not run.place.failure


def test_a_stop_before_there_is_anything_to_keep_ends_with_exit_code_0_and_no_model(tmp_path):
    place = digits_job(tmp_path)
    place.channels(train={"TrainingInputMode": "Pipe"})
    for path in (tmp_path / "input/data/train").iterdir():
        path.unlink()
    (tmp_path / "input/data/train").rmdir()
    os.mkfifo(tmp_path / "input/data/train_0")  # nobody will ever write
    run = place.start().until("Python 3")
    time.sleep(0.5)

    run.stop().wait(10)

    assert run.code == 0, run.log
    assert run.log.count("A stop was asked for before there was a model to keep; none is left.") == 1
    assert not (tmp_path / "model").exists()
    assert not place.failure


def test_a_stop_that_comes_when_the_job_is_over_does_not_change_its_exit_code():
    """While the interpreter winds up, a signal with a handler of ours would end it as if it had none."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = Stop()
        stop.listen()
        stop.close()
        assert all(signal.getsignal(number) == signal.SIG_IGN for number in before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_keyboard_interrupt_is_a_stop(tmp_path):
    run = digits_job(tmp_path, epochs=1000, **SLOW).start().until("epoch=1,")

    run.process.send_signal(signal.SIGINT)
    run.wait(20)

    assert run.code == 0, run.log
    assert run.place.model


def test_interrupted_and_resumed_is_uninterrupted(tmp_path):
    """The order of rows matters to the trace, and each pass has another one."""
    settings = {"epochs": 6, "shuffle": 1, **SLOW}
    whole = digits_job(tmp_path / "whole", **{**settings, "pause": 0})
    assert whole.run().code == 0
    place = digits_job(tmp_path / "parts", **settings)
    (tmp_path / "parts/checkpoints").mkdir()

    run = place.start(ALGOPORT_CHECKPOINT_INTERVAL="0.1").until("epoch=2,")
    time.sleep(0.4)  # into the middle of a pass
    run.kill().wait()
    names = [path.name for path in (tmp_path / "parts/checkpoints").glob("*.checkpoint")]
    resumed = place.run()

    assert run.code == -signal.SIGKILL
    assert 1 <= len(names) <= 3
    assert resumed.code == 0, resumed.log
    assert "Resuming from checkpoint" in resumed.log
    assert "epoch=1," not in resumed.log and "epoch=2," not in resumed.log
    assert place.model[1] == whole.model[1]
    for name, array in whole.model[0].items():
        np.testing.assert_array_equal(place.model[0][name], array)


def test_checkpoints_of_another_job_are_left_out_and_the_log_says_what_differs(tmp_path):
    slow = {"pause": 0.01}
    place = digits_job(tmp_path, epochs=2, **slow)
    (tmp_path / "checkpoints").mkdir()
    assert place.run().code == 0

    other = digits_job(tmp_path, epochs=2, mini_batch_size=50, **slow).run()
    longer = digits_job(tmp_path, epochs=4, mini_batch_size=50, **slow).run()
    place.file("train/part-3.csv", b"0," * 63 + b"0\n")
    more = place.run()

    assert other.code == longer.code == more.code == 0
    assert "of another job and is left out; different: mini_batch_size (was 100, is 50)" in other.log
    assert "Resuming from checkpoint" in longer.log and "epoch=2," not in longer.log
    assert "different: data" in more.log
    assert more.place.model[1]["count"] == 4 * (len(digits()) + 1)


def test_damaged_checkpoints_are_left_out_for_older_ones(tmp_path):
    place = digits_job(tmp_path, epochs=3, **SLOW)  # so slow that each pass is worth a checkpoint
    folder = tmp_path / "elsewhere"
    place.config("checkpointconfig", {"LocalPath": str(folder)})
    assert place.run().code == 0
    files = sorted(folder.glob("*.checkpoint"))
    assert len(files) == 3
    files[2].write_bytes(files[2].read_bytes()[:-5])  # cut off
    flipped = bytearray(files[1].read_bytes())
    flipped[-3] ^= 1
    files[1].write_bytes(flipped)
    (folder / "stray.checkpoint").write_bytes(b"x")

    run = place.run()

    assert run.code == 0, run.log
    assert run.log.count("this checkpoint is damaged and is left out") == 2
    assert f"Resuming from checkpoint {files[0]}" in run.log
    assert place.model[1]["count"] == 3 * len(digits())


def test_what_a_killed_job_was_writing_goes_with_the_next_one(tmp_path):
    """Else it would be in the archive of the model, and be copied with the checkpoints."""
    place = digits_job(tmp_path, epochs=3, **SLOW)
    left = [tmp_path / "model/.writing-0123abcd/model.safetensors", tmp_path / "checkpoints/.writing/0123abcd"]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")

    run = place.run()

    assert run.code == 0, run.log
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    assert not left[1].exists()


def test_a_model_of_which_only_some_files_stand_there_is_none(tmp_path):
    place = digits_job(tmp_path / "first")
    assert place.run().code == 0
    (place.base / "model" / artifact.UNFINISHED).touch()
    second = digits_job(tmp_path / "second").channels(train={}, model={})
    for path in (place.base / "model").iterdir():
        second.file(f"model/{path.name}", path.read_bytes())

    assert second.run().code == 2
    assert second.failure.startswith("ClientError: .unfinished: must not stand beside a model; the job ")
    assert place.run().code == 0
    assert not (place.base / "model" / artifact.UNFINISHED).exists()


def test_a_checkpoint_folder_that_can_no_longer_be_written_is_worth_a_warning_only(tmp_path):
    place = digits_job(tmp_path, epochs=10, pause=0.01)
    place.config("checkpointconfig", {"LocalPath": str(tmp_path / "file")})
    run = place.start().until("Final configuration")
    (tmp_path / "file").write_text("a file")

    run.wait()

    assert run.code == 0, run.log
    assert "no checkpoint could be written" in run.log


def test_a_log_that_nobody_reads_any_more_is_no_reason_to_lose_the_model(tmp_path):
    place = digits_job(tmp_path, epochs=10, pause=0.01)
    read, write = os.pipe()
    run = place.start(standard=write)
    os.close(write)
    assert os.read(read, 10)

    os.close(read)
    run.wait()

    assert run.code == 0
    assert place.model[1]["count"] == 10 * len(digits())


def test_passes_of_milliseconds_are_not_slowed_down_by_checkpoints(tmp_path, monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    folder = checkpoints.CheckpointFolder(tmp_path, {}, Alone())

    def write(arrays, facts):
        written.append(now[0])
        now[0] += 0.01

    monkeypatch.setattr(folder, "_write", write)
    for _ in range(1000):
        now[0] += 0.001
        folder.save({}, {})

    assert 5 <= len(written) <= 0.11 * now[0] / 0.01
