"""The Neural Topic Model beside the same network in torch (`twin`) and ProdLDA of topmost: speed, topics, memory.

topmost asks for packages that conflict with ours: of its files only the network of ProdLDA is loaded, and trained as
its trainer does. Its documents lie dense in memory, as there; so do those of the twin, before the time counts.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data, documents
from benchmarks.measure import US, Case, Laps, Row, main, race

BATCH, EPOCHS, SEEDS = 256, 2, 3
TOPMOST = {"batch": 200, "rate": 0.002, "epochs": 200}  # its trainer's defaults
# Beside our defaults; 50 epochs are the default, too, and the dropout is ProdLDA's. Chosen on other documents.
OURS = {"batch_norm": True, "dropout": 0.4, "epochs": 50}


def settings(counts: Any, k: int, **given: object) -> Any:
    """Hyperparameters of a job that does not end early."""
    from algoport.algorithms.ntm.hyperparameters import Hyperparameters

    base = {"feature_dim": counts.shape[1], "num_topics": k, "mini_batch_size": BATCH, "num_patience_epochs": 10**6}
    return Hyperparameters.read({**base, **given})


def fit(counts: Any, k: int, seed: int = 0, **given: object) -> Any:
    """The whole job on documents in memory."""
    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.ntm.train import fit

    rows = Memory(Rows(features=counts))
    return fit(Job(hyperparameters=settings(counts, k, **given), channels={"train": rows}, seed=seed))


def twin(dense: Any, k: int, epochs: int, kind: str = "adadelta", batch_norm: bool = False) -> Any:
    """The same network, batches, loss and optimizer in plain torch; topics (k, v)."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    n, v = dense.shape

    def layer(inputs: int, outputs: int, *after: nn.Module) -> nn.Module:
        norm = [nn.BatchNorm1d(outputs)] if batch_norm else []
        return nn.Sequential(nn.Linear(inputs, outputs), *norm, *after)

    hidden = nn.Sequential(layer(v, 3 * k, nn.Sigmoid()), layer(3 * k, 2 * k, nn.Sigmoid()))
    mean, spread, topics = layer(2 * k, k), layer(2 * k, k), layer(k, v)
    parts = nn.ModuleList([hidden, mean, spread, topics])
    if kind == "adadelta":
        optimizer: Any = torch.optim.Adadelta(parts.parameters(), lr=1.0, rho=0.9, eps=1e-5)
    else:
        optimizer = torch.optim.Adam(parts.parameters(), lr=0.001)
    for _ in range(epochs):
        for rows in torch.randperm(n).split(BATCH):
            x = dense[rows]
            inner = hidden(x)
            m, s = mean(inner), spread(inner)
            share = torch.softmax(m + torch.exp(0.5 * s) * torch.randn_like(m), 1)
            loss = -(x * torch.log_softmax(topics(share), 1)).sum() + 0.5 * (m * m + s.exp() - 1 - s).sum()
            optimizer.zero_grad()
            (loss / len(x)).backward()
            optimizer.step()
    first: Any = topics[0]  # type: ignore[index]
    return functional.softmax(first.weight.detach().T, 1).numpy()


def _prodlda() -> Any:
    """The class of topmost, without the package, which imports models of sentences."""
    path = data.package("topmost") / "models/basic/ProdLDA.py"
    spec = importlib.util.spec_from_file_location("topmost_prodlda", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ProdLDA


def topmost(dense: Any, k: int, epochs: int, batch: int, seed: int = 0) -> Any:
    """ProdLDA as topmost's trainer trains it; topics (k, v)."""
    import torch

    torch.manual_seed(seed)
    n, v = dense.shape
    network = _prodlda()(v, num_topics=k)
    optimizer = torch.optim.Adam(network.parameters(), lr=TOPMOST["rate"])
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(n).split(batch):
            if len(rows) > 1:  # of one document there is no variance
                loss = network(dense[rows])["loss"]
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return network.get_beta().detach().numpy()


def epoch_race(k: int, batch_norm: bool, goals: dict[str, float | None]) -> list[Row]:
    """Passes over 25 batches of Debian's descriptions by 10,000 words; ours is a whole job with its reports."""
    import torch

    counts = documents.descriptions()[: 25 * BATCH]
    dense = torch.from_numpy(counts.toarray())
    runs: dict[str, Callable[[], Any]] = {
        US: lambda: fit(counts, k, epochs=EPOCHS, batch_norm=batch_norm).topics,
        "twin": lambda: twin(dense, k, EPOCHS, batch_norm=batch_norm),
        "topmost": lambda: topmost(dense, k, EPOCHS, BATCH),
    }
    laps = race({name: run for name, run in runs.items() if name in {US, *goals}}, laps=3)
    each = {name: Laps([seconds / EPOCHS for seconds in own.seconds], None) for name, own in laps.items()}
    speed = len(dense) / each[US].median
    kind = ", batch_norm" if batch_norm else ""
    return [
        Row(
            case=f"an epoch, 10,000 words, {k} topics{kind}", peer=peer, ours=each[US], peers=each[peer], goal=goal,
            note=f"6,400 descriptions in batches of {BATCH}: {speed:,.0f} documents a second.",
        )
        for peer, goal in goals.items()
    ]  # fmt: skip


SETS: dict[str, Callable[[], Any]] = {
    "Reuters, 395 documents, 4,258 words": documents.reuters,
    "BBC, 1,113 documents, 2,000 words": documents.bbc,
}


def topics_race(name: str, k: int, seeds: int = SEEDS) -> list[Row]:
    """NPMI of the ten heaviest words and uniqueness of the twenty heaviest, means of seeds; each with its own
    batches, passes and steps: ProdLDA those of topmost's trainer."""
    import numpy as np
    import torch

    counts = SETS[name]()
    dense = torch.from_numpy(counts.toarray())
    topics: dict[str, list[Any]] = {US: [], "topmost": []}
    fit(counts, k, **{**OURS, "epochs": 1})  # what is compiled or loaded at first use
    seed = {US: iter(range(seeds)), "topmost": iter(range(seeds))}

    def ours() -> None:
        topics[US].append(fit(counts, k, next(seed[US]), **OURS).topics)

    def theirs() -> None:
        topics["topmost"].append(
            topmost(dense, k, int(TOPMOST["epochs"]), int(TOPMOST["batch"]), next(seed["topmost"]))
        )

    laps = race({US: ours, "topmost": theirs}, laps=seeds, warm=0)
    rows = []
    for metric, judge in (("NPMI", partial(documents.coherence, counts)), ("uniqueness", documents.uniqueness)):
        own, peers = (float(np.mean([judge(each) for each in topics[who]])) for who in (US, "topmost"))
        each = ", ".join(f"{judge(one):.3f}" for one in topics[US])
        rows.append(
            Row(
                case=f"topics, {name}, {k} topics: {metric}",
                peer="topmost",
                ours=laps[US],
                peers=laps["topmost"],
                metric=f"{metric}, mean of {seeds} seeds",
                better="higher",
                quality=own,
                peer_quality=peers,
                quality_goal=(peers - 0.01) / peers,
                note=f"{OURS['epochs']} epochs, batch_norm, dropout; beside {TOPMOST['epochs']}. Ours by seed: {each}.",
            )
        )
    return rows


def memory_race() -> list[Row]:
    """The most memory of a process that trains on a vocabulary of 10,000 words and on one of 100,000, with batches of
    2,000 documents: beyond the weights it must be the same."""
    peaks, steps = {}, {}
    for v in (10_000, 100_000):
        command = [sys.executable, "-m", "benchmarks.ntm", "--peak", str(v)]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        peaks[v], steps[v] = answer["bytes"], Laps([answer["seconds"]], None)
    grown = (peaks[100_000] - peaks[10_000]) / 1e6
    array = 2000 * 90_000 * 4 / 1e6
    return [
        Row(
            case="memory, 2,000 documents a batch, 20 topics", peer="100,000 words", ours=steps[10_000],
            peers=steps[100_000], metric="MB of the process", better="lower", quality=peaks[10_000] / 1e6,
            peer_quality=peaks[100_000] / 1e6,
            note=f"Ours with 10,000 words, the peer is ours with 100,000: {grown:.0f} MB more, of which weights, "
            f"gradient and the optimizer's state are {4 * 4 * 90_000 * 81 / 1e6:.0f}; one array of documents x words "
            f"would be {array:.0f} MB more, and torch writes five to seven.",
        )
    ]  # fmt: skip


def peak(v: int) -> None:
    """What `memory_race` runs: the peak after an epoch of 4,000 documents, as JSON."""
    import time

    import numpy as np
    from scipy import sparse

    from algoport.algorithms.shared.machine import peak_memory

    random = np.random.default_rng(0)
    columns = random.integers(0, v, (4000, 70))
    counts = sparse.csr_array(
        (np.ones(columns.size, np.float32), columns.ravel(), np.arange(0, columns.size + 1, 70)), shape=(4000, v)
    )
    counts.sum_duplicates()
    start = time.perf_counter()
    fit(counts, 20, epochs=1, mini_batch_size=2000)
    print(json.dumps({"bytes": peak_memory(), "seconds": time.perf_counter() - start}))


def stream_race(gigabytes: float = 4.0) -> list[Row]:
    """The most that a job takes whose pass is so many bytes, through a pipe."""
    from benchmarks import memory

    words = 10_000
    given = {"num_topics": "20", "feature_dim": str(words), "epochs": "1", "mini_batch_size": str(BATCH)}
    job = memory.piped("ntm", given, memory.MEDIA[0], memory.counts(words, 40_000), gigabytes)
    lap = Laps([job.seconds], None)
    return [
        Row(
            case=f"memory, {gigabytes:g} GB of sparse documents through a pipe, 20 topics", peer="1 GiB", ours=lap,
            peers=lap, metric="MiB at the most", better="lower", quality=job.peak / 2**20,
            peer_quality=memory.LIMIT / 2**20, quality_goal=1.0,
            note=f"{job.rows:,} documents by {words:,} words, {job.rows / job.seconds:,.0f} a second.",
        )
    ]  # fmt: skip


REUTERS, NEWS = SETS
CASES = [
    *(Case(f"an epoch, {k} topics", partial(epoch_race, k, False, {"twin": 3.0, "topmost": 5.0})) for k in (20, 50)),
    Case(f"topics, {REUTERS}, 20 topics", partial(topics_race, REUTERS, 20)),
    Case(f"topics, {NEWS}, 20 topics", partial(topics_race, NEWS, 20)),
    *(
        Case(f"an epoch, {k} topics, batch_norm", partial(epoch_race, k, True, {"twin": None, "topmost": None}), False)
        for k in (20, 50)
    ),
    *(Case(f"topics, {name}, 50 topics", partial(topics_race, name, 50), False) for name in SETS),
    Case("memory", memory_race, False),
    Case("stream", stream_race, False),
]

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:2] == ["--peak"]:
        peak(int(sys.argv[2]))
    else:
        sys.exit(main("ntm", CASES))
