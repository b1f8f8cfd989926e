"""From pairs of sequences to which token comes with which, place by place.    v tokens"""

import json
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.records.sequences import Sequences

from .model import Model, checked

LIMIT = 1 << 20  # bytes of the vocabulary


def fit(job: Any) -> Model:
    size = len(vocabulary(job))
    counts = np.zeros((size, size))
    if job.start is not None:
        counts += job.start.counts
    epoch = step = 0
    seen = np.zeros(2)  # pairs and tokens of the epoch
    saved = job.checkpoints.latest()
    if saved is not None:
        counts, seen, (epoch, step) = saved[0]["counts"].copy(), saved[0]["seen"].copy(), saved[1]["at"]
    while epoch < job.hyperparameters.epochs:
        batches = job.channels["train"].batches(job.batch, start=step * job.batch, shuffle=job.seed + epoch)
        for batch in job.in_step(batches, Sequences(sequences={}, present={})):
            own = counted(batch, size)
            more = np.array([len(batch), own.sum()])
            job.group.sum_(own, more)
            counts, seen, step = counts + own, seen + more, step + 1
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save({"counts": counts, "seen": seen}, {"at": [epoch, step]})
        if job.stopping():
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:tokens": seen[1] / max(seen[0], 1)}, epoch=epoch)
        job.reporter.progress(epoch, job.hyperparameters.epochs)
        seen = np.zeros(2)
        job.checkpoints.save({"counts": counts, "seen": seen}, {"at": [epoch, 0]})
    if not counts.any():
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no tokens.")
    model = Model(counts)
    validate(job, model)
    return model


def vocabulary(job: Any) -> dict[str, int]:
    """Token to number; `UserError` where the file is not that."""
    data = job.files["vocab"].read("vocab.json", limit=LIMIT)
    try:
        tokens = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"vocab/vocab.json: must be an object from token to number; it is not JSON: {error}.") from None
    if not isinstance(tokens, dict) or sorted(tokens.values()) != list(range(len(tokens))):
        raise UserError("vocab/vocab.json: must be an object from token to number, from 0 without a gap.")
    return tokens


def counted(batch: Sequences, size: int) -> Any:
    """(v, v) how often each token of the target stands where one of the source does."""
    counts = np.zeros((size, size))
    source, target = (checked(batch, name, size) for name in ("source", "target"))
    for number in range(len(batch)):
        both = min(len(source[number]), len(target[number]))
        np.add.at(counts, (source[number][:both], target[number][:both]), 1)
    return counts


def validate(job: Any, model: Model) -> None:
    if "validation" not in job.channels:
        return
    right = count = 0.0
    for batch in job.channels["validation"].batches(job.batch):
        target = batch.tokens("target")
        for number, answer in enumerate(model.predict(batch)["target"]):
            both = min(len(answer), len(target[number]))
            right += float((answer[:both] == target[number][:both]).sum())
            count += both
    right, count = total(job.group, right, count)
    job.reporter.report({"validation:accuracy": right / max(count, 1)})
