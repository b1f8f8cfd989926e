"""How fast files become rows: `python -m benchmarks.formats`.

All read the same file, which lies in the page cache, to one float32 matrix or sparse matrix in memory. Megabytes are
those of the file. Beside the readers a user has today stands a copy of the file's bytes from memory to memory, the
most that any reader could reach on one core.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows, concatenate
from algoport.algorithms.shared import compiled
from algoport.training.formats import Layout, find
from benchmarks.measure import US, Case, Laps, Row, main, race

RECORDIO, CSV, LIBSVM = "application/x-recordio-protobuf", "text/csv", "text/libsvm"
PEERS = Path(__file__).parents[1] / ".peers" / "sagemaker" / "bin" / "python"
COPY = "memory copy"


def ours(path: Path, media: str, width: int) -> Callable[[], Rows]:
    def run() -> Rows:
        with open(path, "rb") as stream:
            return concatenate(find(media).read(stream, Layout(path.name, labels=1, width=width)))

    return run


def copy(path: Path) -> Callable[[], Any]:
    """Into memory that is there already, as memcpy alone would be timed."""
    data = np.fromfile(path, np.uint8)
    room = np.empty_like(data)
    return lambda: np.copyto(room, data)


@contextlib.contextmanager
def sagemaker(path: Path, what: str) -> Iterator[Callable[[], str] | None]:
    """The SDK's reader in its own process, started beforehand; None where it is not installed."""
    if not PEERS.exists():
        print("The SageMaker SDK is not here; `make bench-peers` brings it.", file=sys.stderr)
        yield None
        return
    script = Path(__file__).with_name("formats_sagemaker.py")
    with subprocess.Popen(
        [PEERS, script, path, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:

        def run() -> str:
            assert peer.stdin and peer.stdout
            peer.stdin.write("\n")
            peer.stdin.flush()
            answer = peer.stdout.readline()
            if not answer:
                raise RuntimeError("The SageMaker SDK's reader ended; its message stands above.")
            return answer

        yield run
        assert peer.stdin
        peer.stdin.close()


def dense_records(n: int, d: int) -> Sequence[Row]:
    table = numbers(n, d)
    with write(RECORDIO, table) as path, sagemaker(path, "matrix") as theirs, sagemaker(path, "records") as objects:
        laps = race(
            {US: ours(path, RECORDIO, d), COPY: copy(path)}
            | ({"sagemaker": theirs, "sagemaker (records only)": objects} if theirs and objects else {})
        )
        check(laps, table)
        return rows(
            f"recordio-protobuf, {n:,} dense rows of {d}",
            path,
            laps,
            goals={"sagemaker": 50},
            notes={
                "sagemaker": "To the same float32 matrix.",
                "sagemaker (records only)": "The SDK stops at its Record objects here, no numbers to compute with yet.",
            },
        )


def sparse_records(n: int, d: int) -> Sequence[Row]:
    random = np.random.default_rng(0)
    matrix = sparse.random_array((n, d), density=0.02, dtype=np.float32, rng=random, format="csr")
    table = Rows(features=matrix, label=np.ones((n, 1), np.float32))
    with write(RECORDIO, table) as path, sagemaker(path, "records") as objects:
        laps = race(
            {US: ours(path, RECORDIO, d), COPY: copy(path)} | ({"sagemaker (records only)": objects} if objects else {})
        )
        check(laps, table)
        return rows(f"recordio-protobuf, {n:,} sparse rows of {d}, 2 % set", path, laps)


def csv(n: int, d: int) -> Sequence[Row]:
    import pandas
    import pyarrow
    import pyarrow.csv

    table = numbers(n, d)
    names = [str(number) for number in range(d + 1)]
    types = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.float32()))

    with write(CSV, table) as path:

        def by_pyarrow() -> NDArray[np.float32]:
            """The quickest that pyarrow offers: float32 from the start, and its own way to a matrix."""
            options = pyarrow.csv.ReadOptions(column_names=names, block_size=1 << 22 if d > 200 else 1 << 20)
            read = pyarrow.csv.read_csv(path, options, convert_options=types)
            matrix = np.empty((read.num_rows, d + 1), np.float32)
            at = 0
            for batch in read.to_batches():
                matrix[at : at + len(batch)] = batch.to_tensor(null_to_nan=True).to_numpy()
                at += len(batch)
            return matrix

        def by_pandas() -> NDArray[np.float32]:
            return pandas.read_csv(path, header=None, dtype=np.float32).to_numpy()

        laps = race({US: ours(path, CSV, d), "pyarrow": by_pyarrow, "pandas": by_pandas, COPY: copy(path)}, laps=5)
        check(laps, table)
        for peer in ("pyarrow", "pandas"):
            np.testing.assert_allclose(laps[peer].result[:, 1:], table.dense(), rtol=1e-6)
        return rows(f"CSV, {n:,} rows of {d}", path, laps, goals={"pyarrow": 0.9})


def libsvm(n: int, d: int) -> Sequence[Row]:
    from sklearn.datasets import load_svmlight_file

    random = np.random.default_rng(0)
    matrix = sparse.random_array((n, d), density=0.02, dtype=np.float32, rng=random, format="csr")
    table = Rows(features=matrix, label=np.ones((n, 1), np.float32))
    with write(LIBSVM, table) as path:
        laps = race(
            {
                US: ours(path, LIBSVM, d),
                "scikit-learn": lambda: load_svmlight_file(path, n_features=d, dtype=np.float32, zero_based=True)[0],
                COPY: copy(path),
            },
        )
        check(laps, table)
        return rows(f"libsvm, {n:,} rows of {d}, 2 % set", path, laps)


def numbers(n: int, d: int) -> Rows:
    """Rows as measurements are: no two digits alike. The label leads in CSV."""
    random = np.random.default_rng(0)
    label = random.integers(0, 10, (n, 1)).astype(np.float32)
    return Rows(features=random.normal(size=(n, d)).astype(np.float32), label=label)


@contextlib.contextmanager
def write(media: str, table: Rows) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        path.write_bytes(find(media).write(table))
        yield path


def check(laps: dict[str, Laps], table: Rows) -> None:
    """A reader that is quick and wrong has not won."""
    read: Rows = laps[US].result
    if table.is_sparse:
        assert (read.features != table.features).nnz == 0
    else:
        np.testing.assert_array_equal(read.features, table.features)
    assert read.label is not None
    np.testing.assert_array_equal(read.label, table.label)


def rows(
    case: str,
    path: Path,
    laps: dict[str, Laps],
    goals: dict[str, float] | None = None,
    notes: dict[str, str] | None = None,
) -> list[Row]:
    """A row a peer; its figures are megabytes a second. The row beside the memory copy shows the share of it."""
    size = path.stat().st_size / 1e6
    return [
        Row(
            case=case,
            peer=peer,
            ours=laps[US],
            peers=lap,
            goal=(goals or {}).get(peer),
            metric="MB/s",
            better="higher",
            quality=size / laps[US].median,
            peer_quality=size / lap.median,
            note=(notes or {}).get(peer, ""),
        )
        for peer, lap in laps.items()
        if peer != US
    ]


CASES = (
    Case("recordio-protobuf, wide", lambda: dense_records(20_000, 784)),
    Case("recordio-protobuf, narrow", lambda: dense_records(200_000, 50)),
    Case("csv, wide", lambda: csv(20_000, 784)),
    Case("csv, narrow", lambda: csv(200_000, 50)),
    Case("recordio-protobuf, sparse", lambda: sparse_records(50_000, 2000), promised=False),
    Case("libsvm", lambda: libsvm(50_000, 2000), promised=False),
)

if __name__ == "__main__":
    compiled.prepare()
    raise SystemExit(main("formats", CASES))
