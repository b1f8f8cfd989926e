"""Lines of two subjects, and jobs on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.blazingtext.hyperparameters import Hyperparameters
from algoport.algorithms.blazingtext.train import fit
from algoport.algorithms.contract import Auxiliary, Job, Memory, Reporter
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines

SPORT = ["Tor", "Ball", "läuft", "goal", "team", "match"]
NEWS = ["Wahl", "election", "日本", "says", "vote", "party"]
CLASSES = {"mode": "supervised", "learning_rate": 0.5, "min_count": 2, "vector_dim": 8, "buckets": 50}
VECTORS = {"min_count": 2, "vector_dim": 8, "buckets": 50, "sampling_threshold": 1.0}


def lines(count: int = 90, seed: int = 0, *, labels: bool = True) -> Lines:
    """By turns of sport and of news, with words of their own and one of both."""
    random = np.random.default_rng(seed)
    texts = [" ".join([*random.choice((SPORT, NEWS)[number % 2], 6).tolist(), "the"]) for number in range(count)]
    marks = [("sport", "news")[number % 2] for number in range(count)]
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(marks) if labels else None)


def job(rows: Lines, *, group: Any = None, validation: Lines | None = None, pairs: bytes = b"", **given: Any) -> Any:
    """The job on these lines; what it says and reports goes to `notes` and `reports`."""
    notes, reports = given.pop("notes", []), given.pop("reports", {})
    more: dict[str, Any] = {
        name: given.pop(name) for name in ("start", "seed", "checkpoints", "device", "hosts") if name in given
    }
    sources = {"train": rows, **({} if validation is None else {"validation": validation})}
    if group is not None:
        more["group"] = group
    return Job(
        hyperparameters=Hyperparameters.read(given),
        channels={name: Memory(each, group=group) for name, each in sources.items()},
        files={"evaluation": Auxiliary.of("evaluation", {"PAIRS.txt": pairs})} if pairs else {},
        reporter=Reporter(note=notes.append, report=lambda values, **_: reports.update(values)),
        **more,
    )


def trained(rows: Lines, **given: Any) -> Any:
    """The model of these lines."""
    return fit(job(rows, **given))


def right(model: Any, rows: Lines) -> float:
    """The share of lines whose best label is theirs."""
    best = [labels[0] for labels in model.predict(Lines(text=rows.text))["label"]]
    return float(
        np.mean([each.removeprefix("__label__") in own for each, own in zip(best, rows.labels(), strict=True)])
    )


def cosine(model: Any, one: str, other: str) -> float:
    """Of the vectors of two words."""
    first, second = model.vectors([one.encode(), other.encode()]).astype(float)
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
