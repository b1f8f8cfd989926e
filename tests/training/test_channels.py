"""Channels against the plainest source there is: arrays in memory."""

import io
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract import Memory
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training.channels import Channel, Files, Share, records
from algoport.training.channels import blocks as stream
from algoport.training.channels.files import Shard
from tests.groups import together


def numbered(n: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + n, dtype=np.float32).reshape(-1, 1)


def flat(lists):
    return [item for inner in lists for item in inner]


def files(tmp_path, lengths, block=7, **options) -> Files:
    """Files whose rows are numbered through, decoded so many rows at a time."""
    shards, first = [], 0
    for number, length in enumerate(lengths):
        path = tmp_path / f"{number}.raw"
        if not path.exists():
            path.write_bytes(numbered(length, first).tobytes())
        shards.append(Shard(f"train/{number}.raw", path, max(1, 4 * length)))
        first += length

    def decode(file, name):
        while data := file.read(4 * block):
            yield Rows(features=np.frombuffer(data, np.float32).reshape(-1, 1).copy())

    return Files(shards, decode, **options)


def values(batches) -> list[list[float]]:
    return [batch.dense().ravel().tolist() for batch in batches]


@settings(deadline=None, max_examples=60)
@given(
    lengths=some.lists(some.integers(0, 40), min_size=1, max_size=4),
    size=some.integers(1, 3),
    batch=some.integers(1, 30),
    skip=some.integers(0, 3),
    sharded=some.booleans(),
)
def test_every_member_sees_what_it_would_of_an_array(tmp_path_factory, lengths, size, batch, skip, sharded):
    tmp_path = tmp_path_factory.mktemp("shards")
    whole = numbered(sum(lengths))
    files(tmp_path, lengths)  # written before members, which are threads, read them

    def seen(group):
        share = Share(rank=group.rank, size=size, sharded=sharded)
        channel = Channel("train", files(tmp_path, lengths), share, width=1)
        plain = Memory(whole, group=group, distribution="ShardedByS3Key" if sharded else "FullyReplicated")
        for source in (channel, plain):
            yield values([source.head(batch)])
            yield values(source.batches(batch))
            yield values(source.batches(batch, start=skip * batch))
            yield values([source.all()])

    for mine in together(size, lambda group: list(seen(group))):
        assert mine[:4] == mine[4:]


@pytest.mark.parametrize("keep", [records.KEEP, 0.0])
def test_a_shuffle_is_an_order_of_the_seed_whether_rows_are_kept_or_decoded_again(tmp_path, monkeypatch, keep):
    monkeypatch.setattr(records, "KEEP", keep)
    channel = Channel("train", files(tmp_path, [50, 0, 31, 20]), Share(), width=1)
    before = values(channel.batches(10))

    first, second = values(channel.batches(10, shuffle=1)), values(channel.batches(10, shuffle=2))

    assert channel.rows == 101
    assert first == values(channel.batches(10, shuffle=1)) != second
    assert before == values(channel.batches(10)) == values(Memory(numbered(101)).batches(10))
    assert sorted(flat(first)) == sorted(flat(second)) == list(range(101))
    assert first[3:] == values(channel.batches(10, start=30, shuffle=1))
    assert first == values(Channel("t", files(tmp_path, [50, 0, 31, 20], block=3), Share()).batches(10, shuffle=1))


def test_a_shuffle_of_more_than_a_window_mixes_files_and_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "WINDOW", 4 * 16)
    channel = Channel("train", files(tmp_path, [30, 30, 30]), Share(), width=1)

    (order,) = values(channel.batches(90, shuffle=3))

    assert sorted(order) == list(range(90))
    assert order != sorted(order)


def test_rows_that_do_not_fit_comfortably_are_decoded_again(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "memory_free", lambda: 4 * 4 * 25)  # a quarter is 25 rows
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few, many = files(tmp_path / "few", [25]), files(tmp_path / "many", [26])

    for source in (few, many):
        list(Channel("train", source, Share()).batches(10))

    assert few._cache is not None
    assert many._cache is None


def test_what_is_read_once_is_not_kept(tmp_path):
    source = files(tmp_path, [25], keep=False)
    channel = Channel("train", source, Share())

    assert values(channel.batches(10)) == values(channel.batches(10)) != []
    assert source._cache is None


def test_members_of_one_host_take_turns_with_the_records_of_its_shard(tmp_path):
    """Hosts of two members each: every record is seen once."""
    shards = [files(tmp_path, [13, 8]), files(tmp_path, [13, 8])]

    seen = [
        values(Channel("t", shards[n], Share(rank=n, size=2, local=n, locals=2, sharded=True)).batches(4))
        for n in range(2)
    ]

    assert seen[0][0] == [0, 2] and seen[1][0] == [1, 3]
    assert sorted(flat(flat(seen))) == list(range(21))


def test_rows_and_width_are_reported_when_known(tmp_path):
    channel = Channel("train", files(tmp_path, [5]), Share())

    assert channel.rows is None
    assert channel.width == 1
    assert values(channel.batches(3)) == [[0, 1, 2], [3, 4]]
    assert channel.rows == 5
    assert not channel.is_empty()
    assert Channel("train", Files([], None), Share()).is_empty()


def test_a_pass_that_is_given_up_leaves_no_thread(tmp_path):
    channel = Channel("train", files(tmp_path, [1000], block=1), Share())
    before = threading.active_count()

    batches = channel.batches(10)
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()

    assert threading.active_count() == before
    assert len(values(channel.batches(10))) == 100


def test_an_error_in_the_decoder_comes_out_where_the_batch_was_wanted(tmp_path):
    def decode(file, name):
        yield Rows(features=numbered(3))
        raise ValueError(f"{name} is broken")

    path = tmp_path / "a"
    path.write_bytes(b"xx")
    batches = Channel("train", Files([Shard("train/a", path, 2)], decode), Share()).batches(3)

    assert values([next(batches)]) == [[0, 1, 2]]
    with pytest.raises(ValueError, match="train/a is broken"):
        next(batches)


def test_batches_within_a_block_are_views_and_the_rest_is_copied_once():
    block = Rows(features=numbered(10))

    first, second, third = stream.rebatch(iter([block[:6], block[6:]]), 4)

    assert np.shares_memory(first.features, block.features)
    assert not np.shares_memory(second.features, block.features)
    assert np.shares_memory(third.features, block.features)
    assert io.BytesIO(second.dense().tobytes()).read() == numbered(4, 4).tobytes()


def test_files_whose_rows_differ_in_width_are_reported_by_name(tmp_path):
    for name, width in (("a", 3), ("b", 4)):
        (tmp_path / name).write_bytes(np.zeros((2, width), np.float32).tobytes())
    shards = [Shard(f"train/{name}", tmp_path / name, 1) for name in "ab"]

    def decode(file, name):
        yield Rows(features=np.frombuffer(file.read(), np.float32).reshape(2, -1).copy())

    channel = Channel("train", Files(shards, decode), Share())
    with pytest.raises(UserError, match="train/b: rows must have 3 features, as those of train/a; they have 4"):
        list(channel.batches(10))
