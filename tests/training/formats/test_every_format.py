"""What all formats promise: what is written is read back, from any stream, in pieces of any size."""

import gzip
import io
import os
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from scipy import sparse

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.joining import concatenate
from algoport.algorithms.contract.records import Rows
from algoport.training.formats import ContentType, find, modules, whole
from algoport.training.formats.layout import Layout
from tests.records import generated, values
from tests.training.formats.streams import Trickle, assert_same, rows

DENSE = ("text/csv", "application/x-recordio-protobuf", "application/json", "application/jsonlines")
TABLES = (*DENSE, "application/x-parquet", "application/x-npy")
SPARSE = ("application/x-recordio-protobuf", "application/json", "application/jsonlines", "text/libsvm")
TEXTS = ("application/json", "application/jsonlines", "text/libsvm")

FINITE = some.floats(width=32, allow_nan=False, allow_infinity=False)


EVERY = [(kind, module.MEDIA[0]) for kind in kinds.names() for module in modules(kind)]


def written(kind: str, media: str, count: int) -> list[tuple[Any, bytes, Layout]]:
    """Generated records that the format can hold, as it writes them, and how they lie there."""
    pairs = []
    for records in generated(kind, count):
        label = getattr(records, "label", None)
        labels = label.shape[1] if isinstance(label, np.ndarray) else 0
        try:
            data = find(media, kind).write(records)
        except ValueError:  # this format cannot hold them
            continue
        pairs.append((records, data, Layout("train/part", labels=labels, width=records.width or None)))
    assert len(pairs) >= count // 8, "the format can hold almost none of its kind's records"
    return pairs


def test_to_know_all_formats_loads_neither_numba_nor_torch():
    """A job knows its channels' formats before it says where compiled kernels lie, and on how many threads they run."""
    program = (
        "import sys\n"
        "from algoport.training.formats import ContentType\n"
        "ContentType.parse('text/csv')\n"
        "print([name for name in ('numba', 'torch') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(("kind", "media"), EVERY)
def test_what_is_written_is_read_back_in_pieces_of_any_size(kind, media):
    for number, (records, data, layout) in enumerate(written(kind, media, 60)):
        block, step = ((1, 1), (40, 33), (1 << 20, 1 << 20))[number % 3]

        parts = list(find(media, kind).read(Trickle(data, step), replace(layout, block=block)))

        assert all(len(part) for part in parts)
        assert values(concatenate(parts)) == values(records)


@pytest.mark.parametrize(("kind", "media"), EVERY)
def test_a_request_is_read_as_a_channel_is(kind, media):
    for records, data, layout in written(kind, media, 16):
        assert values(whole(data, ContentType(media), layout, kind)) == values(records)
    assert len(whole(b"", ContentType(media), Layout("request", width=3), kind)) == 0
    assert list(find(media, kind).read(io.BytesIO(b""), Layout("train/empty"))) == []


@pytest.mark.parametrize(("kind", "media"), EVERY)
def test_damage_ends_in_records_or_in_a_sentence(kind, media):
    """Whatever the bytes, nothing but a `UserError` comes out of a reader."""
    random = np.random.default_rng(5)
    for _, data, layout in written(kind, media, 60):
        damaged = bytearray(data)
        for place in random.integers(0, len(damaged), random.integers(1, 5)):
            damaged[place] = random.integers(0, 256)
        try:
            stream = io.BytesIO(damaged[: random.integers(0, 2 * len(damaged))])
            for part in find(media, kind).read(stream, replace(layout, limit=1 << 20)):
                assert len(part) > 0
        except UserError as fault:
            assert str(fault).startswith("train/part")


@some.composite
def tables(draw, numbers=FINITE | some.just(np.nan)):
    n, d, labels = draw(some.integers(1, 20)), draw(some.integers(1, 9)), draw(some.integers(0, 2))
    matrix = draw(arrays.arrays(np.float32, (n, d + labels), elements=numbers))
    label = np.ascontiguousarray(matrix[:, d:]) if labels else None
    return Rows(features=np.ascontiguousarray(matrix[:, :d]), label=label)


@pytest.mark.parametrize("media", TABLES)
@settings(deadline=None, max_examples=60)
@given(table=tables(), block=some.sampled_from([1, 40, 1 << 20]), step=some.sampled_from([1, 33, 1 << 20]))
def test_a_table_is_read_back_as_it_was_written(media, table, block, step):
    labels = 0 if table.label is None else table.label.shape[1]

    data = find(media).write(table)

    back = rows(media, Trickle(data, step), labels=labels, width=table.width, block=block)
    assert_same(back, table)


@pytest.mark.parametrize("media", SPARSE)
@settings(deadline=None, max_examples=60)
@given(table=tables(FINITE), block=some.sampled_from([1, 40, 1 << 20]), weighted=some.booleans())
def test_a_sparse_table_is_read_back_as_it_was_written(media, table, block, weighted):
    label = None if table.label is None else table.label[:, :1]
    weight = np.arange(len(table), dtype=np.float32) if weighted and label is not None and media in TEXTS else None
    scattered = np.where(table.features > 0, table.features, 0)
    given = Rows(features=sparse.csr_array(scattered), label=label, weight=weight)

    data = find(media).write(given)

    back = rows(media, data, labels=int(label is not None), width=table.width, block=block)
    assert_same(back, Rows(features=scattered, label=label, weight=weight))


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
def test_a_stream_of_many_blocks_is_that_of_one(media):
    """Blocks end within records, the compiled decoders see many of them, and no row is lost between two."""
    random = np.random.default_rng(0)
    table = Rows(
        features=random.integers(1, 9, (3000, 7)).astype(np.float32),
        label=random.integers(1, 9, (3000, 1)).astype(np.float32),
    )
    data = find(media).write(table)

    for block in (1 << 14, 70_000, 1 << 24):
        assert_same(rows(media, data, labels=1, width=7, block=block), table)


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
def test_a_fifo_and_a_gzip_file_are_read_like_a_file(media, tmp_path):
    table = Rows(features=np.arange(1, 6001, dtype=np.float32).reshape(1000, 6))
    data = find(media).write(table)
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(data,))
    writer.start()

    with open(fifo, "rb", buffering=0) as stream:
        piped = rows(media, stream, width=6)
    writer.join()
    zipped = rows(media, gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))), width=6)

    assert_same(piped, table)
    assert_same(zipped, table)


class Again(Trickle):
    """The same bytes many times over, without holding them."""

    def __init__(self, data: bytes, times: int) -> None:
        super().__init__(data, 1 << 16)
        self._times = times

    def readinto(self, buffer) -> int:
        count = super().readinto(buffer)
        if not count and self._times > 1:
            self._times, self._at = self._times - 1, 0
            return super().readinto(buffer)
        return count


@pytest.mark.parametrize(
    "media", ["text/csv", "application/x-npy", "application/jsonlines", *SPARSE[:1], "text/libsvm"]
)
def test_memory_does_not_grow_with_the_stream(media):
    """A stream of 8 MB in blocks of 64 KB, of which nothing is kept."""
    table = np.random.default_rng(0).normal(size=(2000, 10)).astype(np.float32)
    data = find(media).write(Rows(features=table))
    times = 8_000_000 // len(data)
    layout = Layout("train_0", width=10, block=1 << 16)
    sum(len(part) for part in find(media).read(Again(data, 1), layout))  # what is imported and compiled stays

    tracemalloc.start()
    count = sum(len(part) for part in find(media).read(Again(data, times), layout))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == times * len(table)
    assert peak < 3_000_000


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
def test_an_empty_stream_has_no_rows(media):
    assert list(find(media).read(io.BytesIO(b""), Layout("train/empty"))) == []
    assert len(whole(b"", ContentType(media), Layout("request", width=3))) == 0


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
def test_a_row_of_the_wrong_width_is_named(media):
    """One feature too many, which is seen also where zeros are left out."""
    table = Rows(features=np.ones((3, 5), np.float32))
    with pytest.raises(UserError) as fault:
        rows(media, find(media).write(table), name="train/x", width=4)

    message = str(fault.value)
    assert message.startswith("train/x, ")
    assert "where the width is 4" in message


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
@pytest.mark.parametrize("other", (*DENSE, "application/x-parquet", "application/x-npy", "text/libsvm"))
def test_another_format_is_recognized_or_at_least_refused(media, other):
    same = {media, other} <= {"application/json", "application/jsonlines"}
    if media == other or same:
        pytest.skip("reads it")
    data = find(other).write(Rows(features=np.ones((4, 3), np.float32), label=np.ones((4, 1), np.float32)))

    with pytest.raises(UserError, match="train/x") as fault:
        rows(media, data, name="train/x")

    assert {"application/json": "JSON", "application/jsonlines": "JSON"}.get(other, other) in str(fault.value)


@pytest.mark.parametrize("media", (*TABLES, "text/libsvm"))
@settings(deadline=None, max_examples=150)
@given(data=some.data())
def test_damaged_data_ends_in_rows_or_in_a_sentence(media, data):
    """Whatever the bytes, nothing but a `UserError` comes out of a reader."""
    good = bytearray(find(media).write(Rows(features=np.ones((3, 4), np.float32), label=np.ones((3, 1), np.float32))))
    for _ in range(data.draw(some.integers(1, 4))):
        place = data.draw(some.integers(0, len(good) - 1))
        good[place] = data.draw(some.integers(0, 255))
    length = data.draw(some.integers(0, len(good)))

    try:
        for part in find(media).read(io.BytesIO(good[:length]), Layout("train/part", labels=1, limit=1 << 20)):
            assert len(part) > 0
    except UserError as fault:
        assert str(fault).startswith("train/part")


def test_content_types_are_compared_in_any_dress():
    assert ContentType.parse(" Text/CSV ; Label_Size = 0;charset=utf-8 ; odd ") == ContentType(
        "text/csv", {"label_size": "0", "charset": "utf-8"}
    )
    short = {name: ContentType.parse(name).media for name in ("csv", "libsvm", "parquet", "recordio-protobuf")}
    assert short == {
        "csv": "text/csv",
        "libsvm": "text/libsvm",
        "parquet": "application/x-parquet",
        "recordio-protobuf": "application/x-recordio-protobuf",
    }
    assert str(ContentType.parse("text/csv; label_size=0")) == "text/csv;label_size=0"
    assert ContentType.parse("text/html").media == "text/html"


def test_an_unknown_content_type_names_those_there_are():
    with pytest.raises(UserError, match="'text/html' is not one that rows are read from: text/csv, "):
        find("text/html")


@pytest.mark.parametrize("size", [(1 << 31) - 1, 1 << 31, 1 << 32, 4_000_000_001, (1 << 47)])
def test_a_sparse_row_is_as_wide_as_a_model_can_number_its_columns(size: int) -> None:
    matrix = sparse.csr_array((np.ones(1, np.float32), np.array([3]), np.array([0, 1])), shape=(1, size))
    for media in ("application/jsonlines", "application/x-recordio-protobuf"):
        module = find(media)
        body = module.write(Rows(features=matrix))
        if size < 1 << 31:
            (rows,) = module.read(io.BytesIO(body), Layout("part"))
            assert rows.width == size
            continue
        with pytest.raises(UserError, match=rf"part, (line|record) 1: its shape is {size}, which must be at most 2,"):
            list(module.read(io.BytesIO(body), Layout("part")))
