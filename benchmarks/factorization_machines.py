"""Factorization machines beside the same machine in plain torch and beside myFM: from rows in memory to the model."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import peers
from benchmarks.factorization_machines_twin import FIELDS, MILLION, ROWS, Split, Twin, films, letters, wide
from benchmarks.measure import US, Case, Laps, Row, main, race

# Those of the notebook on recommendations that goes with the original; what it leaves out is as it is by default.
NOTEBOOK: dict[str, object] = {"num_factors": 64, "mini_batch_size": 1000, "epochs": 20}
# Found on a part of the training rows, never on those that are reported.
TUNED: dict[str, object] = {
    "num_factors": 128, "mini_batch_size": 4000, "epochs": 8, "factors_lr": 0.0104, "factors_wd": 0.00014,
    "factors_init_sigma": 0.0067, "linear_lr": 0.056, "linear_wd": 0.0001, "bias_lr": 0.08, "bias_wd": 0.0,
}  # fmt: skip
SAMPLES = 100  # of myFM's chain, as by default
RANK = 10
NEAR = 0.005  # of the root mean squared error, that ours may be above myFM's
LIMIT = 1 << 30  # bytes resident that are promised for a stream of 4 GB


def fit(split: Split, **given: object) -> Any:
    """The model that a job leaves."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("factorization-machines", "hyperparameters").Hyperparameters.read
    settings = {"feature_dim": split.width, "predictor_type": "regressor", **given}
    job: Any = Job(hyperparameters=read(settings), channels={"train": Memory(split.rows(split.learned))})
    return algorithms.part("factorization-machines", "train").fit(job)


def predicted(model: Any, split: Split) -> Any:
    """Ours, for the rows to judge by."""
    return model.predict(split.rows(split.judged))["score"]


def twin_race(name: str, load: Callable[[], Split], settings: dict[str, object], **twin: bool) -> list[Row]:
    """The same settings, rows and batches on both sides."""
    split, logistic = load(), bool(twin.get("logistic"))
    # torch's lazy Adam knows no weight decay: neither side makes any.
    kind = "binary_classifier" if logistic else "regressor"
    given = {**settings, "predictor_type": kind, "factors_wd": 0, "linear_wd": 0, "bias_wd": 0}
    laps = race(
        {
            US: lambda: fit(split, **given),
            "twin": lambda: Twin(split, settings, logistic=logistic, sparse=twin.get("sparse", True)).fit(split),
        },
        laps=3,
    )
    ours, theirs = predicted(laps[US].result, split), laps["twin"].result.predicted(split)
    goal = 10.0 if twin.get("sparse", True) else None
    row = Row(case=name, peer="twin", ours=laps[US], peers=laps["twin"], goal=goal)
    return [_judged(row, split, ours, theirs, logistic, allowed=0.002)]


def myfm_race(name: str, load: Callable[[], Split], settings: dict[str, object], logistic: bool) -> list[Row]:
    """Settings that were found on a part of the training rows, beside myFM's Gibbs sampler."""
    machines, split = peers.bayesian_machines(), load()
    given = {**settings, "predictor_type": "binary_classifier" if logistic else "regressor"}
    matrix = split.rows(slice(0, len(split.labels))).features
    import numpy as np
    from scipy import sparse

    train, test = (sparse.csr_matrix(matrix[which]).astype(np.float64) for which in (split.learned, split.judged))
    fields = np.repeat(np.arange(len(split.sizes)), split.sizes).tolist()

    def theirs() -> Any:
        kind = machines.MyFMClassifier if logistic else machines.MyFMRegressor
        labels = split.labels[split.learned]
        chosen = kind(rank=RANK, random_seed=0)
        return chosen.fit(train, labels, n_iter=SAMPLES, n_kept_samples=SAMPLES, grouping=fields)

    ours = race({US: lambda: fit(split, **given)}, laps=5)[US]
    peer = race({"myfm": theirs}, laps=1, warm=0)["myfm"]
    answers = peer.result.predict_proba(test) if logistic else peer.result.predict(test)
    row = Row(case=name, peer="myfm", ours=ours, peers=peer, goal=None if logistic else 10.0)
    allowed, scores = 0.0 if logistic else NEAR, (predicted(ours.result, split), np.asarray(answers))
    rows = [_judged(row, split, *scores, logistic, allowed=allowed)]
    if not logistic:
        liked = dataclasses.replace(split, labels=split.labels >= 4)
        ranked = dataclasses.replace(row, case=f"{name}, rating at least 4", goal=None)
        rows.append(_judged(ranked, liked, *scores, True, allowed=0.0))
    return rows


def _judged(row: Row, split: Split, ours: Any, theirs: Any, logistic: bool, allowed: float) -> Row:
    """With the area under the curve of a classifier, the root mean squared error of a regression."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    labels = split.labels[split.judged]
    if logistic:
        own, other = (float(roc_auc_score(labels, scores)) for scores in (ours, theirs))
        limit, metric = (other - allowed) / other, "AUC of the test rows"
    else:
        own, other = (float(np.sqrt(np.mean((scores - labels) ** 2))) for scores in (ours, theirs))
        limit, metric = (other + allowed) / other, "RMSE of the test rows"
    better: Any = "higher" if logistic else "lower"
    return dataclasses.replace(
        row, metric=metric, better=better, quality=own, peer_quality=other, quality_goal=limit
    )  # fmt: skip


def throughput() -> list[Row]:
    """Updates of touched features, a million features in memory, beside a loop that reads and writes as many bytes."""
    import numba
    import numpy as np

    from algoport import algorithms
    from algoport.algorithms.contract.group import Alone
    from algoport.algorithms.factorization_machines.batch import entries
    from algoport.algorithms.factorization_machines.descent import Descent, Sparse
    from algoport.algorithms.factorization_machines.table import Table

    split = wide()
    settings = {"feature_dim": split.width, "num_factors": 64, "predictor_type": "regressor"}
    own = algorithms.part("factorization-machines", "hyperparameters").Hyperparameters.read(settings)
    table = Table(own, 0)
    table.enter(np.random.default_rng(1).permutation(split.width).astype(np.int32))
    descent = Descent(own, Sparse(table, Alone(), True))
    batches = [split.rows(slice(first, first + 1000)) for first in range(0, ROWS, 1000)]
    touched = sum(len(np.unique(entries(rows)[1])) for rows in batches)

    def step() -> None:
        for rows in batches:
            descent.steps(rows, np.ascontiguousarray(rows.label[:, 0]), 1000)

    records = table.records[: split.width]

    @numba.njit(parallel=True, nogil=True)
    def visit(order, table):
        for block in numba.prange(len(order) // 1000):
            for i in range(block * 1000, (block + 1) * 1000):
                for j in range(table.shape[1]):
                    table[order[i], j] += np.float32(1e-9)

    order = np.random.default_rng(2).integers(0, split.width, touched).astype(np.int32)
    laps = race({US: step, "memory": lambda: visit(order, records)}, laps=5)
    rates = [touched / 1e6 / min(laps[name].seconds) for name in (US, "memory")]
    size = records.shape[1] * 4
    note = (
        f"{size} bytes a record, each read and written once: {2 * size * rates[0] / 1000:.1f} GB/s of those; the "
        f"forward pass reads {4 * 64} of them once before. Beside it a loop that only adds to records in random order."
    )
    case = f"steps on {MILLION:,} features, k = 64, {FIELDS} a row, batches of 1,000"
    return [
        Row(case=case, peer="memory", ours=laps[US], peers=laps["memory"], metric="million touched features a second",
            better="higher", quality=rates[0], peer_quality=rates[1], note=note)
    ]  # fmt: skip


def memory() -> list[Row]:
    """What a process takes for a million features seen, beside what the records hold, 12 k bytes each."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.factorization_machines", "--resident"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    seconds, before, after, seen = json.loads(answer)
    each, least = (after - before) / seen, 12 * 64
    lap = Laps([seconds], None)
    note = (
        f"{seen:,} of {2**31 - 1:,} features seen; {before / 2**20:.0f} MB before, {after / 2**20:.0f} MB at the most."
    )
    return [
        Row(case="memory of a job that sees a million features of 2 billion, k = 64", peer="12 k bytes", ours=lap,
            peers=lap, metric="bytes a feature seen", better="lower", quality=each, peer_quality=least,
            quality_goal=1.25, note=note)
    ]  # fmt: skip


def resident() -> None:
    """What `memory` runs: a job in a process of its own, and the most that it took."""
    import numpy as np

    from benchmarks.memory import peak_of

    fit(dataclasses.replace(letters(), train=1000), **NOTEBOOK)  # all that is loaded and compiled at first use
    size = 2**31 - 1
    random = np.random.default_rng(0)
    keys = np.sort(random.integers(0, size, (MILLION // FIELDS, FIELDS)), axis=1)
    split = Split(keys, random.normal(size=len(keys)).astype(np.float32), [size], len(keys))
    rows = split.rows(split.learned)
    before = peak_of(os.getpid())
    start = time.perf_counter()
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("factorization-machines", "hyperparameters").Hyperparameters.read
    given = {"feature_dim": size, "num_factors": 64, "predictor_type": "regressor"}
    job: Any = Job(hyperparameters=read(given), channels={"train": Memory(rows)})
    table = algorithms.part("factorization-machines", "train").trained(job).descent.network.table
    seconds = time.perf_counter() - start
    after = peak_of(os.getpid())
    print(json.dumps([seconds, before, after, table.count]))


def stream(gigabytes: float = 4.0) -> list[Row]:
    """A job in Pipe mode that is fed more bytes than it may have memory: one-hot lines of libsvm."""
    from benchmarks.memory import feed, resident

    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        (base / "input/config").mkdir(parents=True)
        (base / "input/data").mkdir()
        piece = _lines()
        count = round(gigabytes * 1e9 / len(piece))
        settings = {"feature_dim": str(2**31 - 1), "num_factors": "64", "predictor_type": "regressor"}
        channel = {"TrainingInputMode": "Pipe", "ContentType": "text/libsvm"}
        (base / "input/config/hyperparameters.json").write_text(json.dumps(settings))
        (base / "input/config/inputdataconfig.json").write_text(json.dumps({"train": channel}))
        os.mkfifo(base / "input/data/train_0")
        threading.Thread(target=feed, args=(base / "input/data/train_0", piece, count), daemon=True).start()
        environment = os.environ | {"ALGORITHM": "factorization-machines", "SAGEMAKER_BASE_DIR": str(base)}
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "algoport.training"], env=environment, stdout=subprocess.DEVNULL
        )
        peak = max(resident(process))
        if process.returncode:
            raise SystemExit((base / "output/failure").read_text())
        lap = Laps([time.perf_counter() - start], None)
    note = f"{count * len(piece) / 1e6 / lap.median:.0f} MB/s; resident at the most, of the job's processes together."
    return [
        Row(case=f"a stream of {gigabytes:g} GB through a pipe, libsvm, keys up to 2 billion", peer="1 GiB", ours=lap,
            peers=lap, metric="MiB resident", better="lower", quality=peak / 2**20, peer_quality=LIMIT / 2**20,
            quality_goal=1.0, note=note)
    ]  # fmt: skip


def _lines() -> bytes:
    """Some 25 MB, to be sent again and again: 20 keys a line, of 200,000 that lie anywhere below 2 billion."""
    import numpy as np

    random = np.random.default_rng(0)
    keys = np.unique(random.integers(0, 2**31 - 1, 200_000))
    lines = []
    for label, chosen in zip(random.normal(size=100_000), random.choice(keys, (100_000, 20)), strict=True):
        lines.append(f"{label:.3f} " + " ".join(f"{key}:1" for key in np.unique(chosen)) + "\n")
    return "".join(lines).encode()


FILMS, LETTERS = "MovieLens-100k", "letters in one-hot form"
SAME = "k = 64, 20 epochs of batches of 1,000"
SHAPES: dict[str, object] = {
    "num_factors": 64, "mini_batch_size": 1000, "epochs": 15, "factors_lr": 0.0035, "factors_wd": 0.000003,
    "factors_init_sigma": 0.028, "linear_lr": 0.0052, "linear_wd": 0.00001, "bias_lr": 0.02, "bias_wd": 0.0,
}  # fmt: skip
LIKING: dict[str, object] = {
    "num_factors": 96, "mini_batch_size": 500, "epochs": 8, "factors_lr": 0.0012, "factors_wd": 0.00006,
    "factors_init_sigma": 0.013, "linear_lr": 0.0086, "linear_wd": 0.00004, "bias_lr": 0.02, "bias_wd": 0.0,
}  # fmt: skip

CASES = [
    Case(f"{FILMS}, {SAME}", partial(twin_race, f"{FILMS}, {SAME}", films, NOTEBOOK)),
    Case(f"{FILMS}, tuned", partial(myfm_race, f"{FILMS}, tuned", films, TUNED, False)),
    Case(f"{FILMS}, rating at least 4, by a classifier", partial(
        myfm_race, f"{FILMS}, rating at least 4, by a classifier", partial(films, True), LIKING, True
    ), promised=False),
    Case(f"{LETTERS}, {SAME}", partial(twin_race, f"{LETTERS}, {SAME}", letters, NOTEBOOK, logistic=True)),
    Case(f"{LETTERS}, tuned", partial(myfm_race, f"{LETTERS}, tuned", letters, SHAPES, True)),
    Case("steps on a million features", throughput),
    Case("memory of a job", memory),
    Case("a stream through a pipe", stream, promised=False),
    Case(f"{FILMS}, {SAME}, torch's Adam of all features", partial(
        twin_race, f"{FILMS}, {SAME}, torch's Adam of all features", films, NOTEBOOK, sparse=False
    ), promised=False),
]  # fmt: skip

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:2] == ["--resident"]:
        resident()
    else:
        sys.exit(main("factorization_machines", CASES))
