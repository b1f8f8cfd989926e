"""From rows to their mean. n rows  d features"""

import os
import signal
import time

import numpy as np

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.running_mean.model import Model


def fit(job):
    settings = job.hyperparameters
    d = settings.feature_dim
    state = {"sums": np.zeros(d), "count": np.zeros(1), "trace": np.zeros(0)}
    epoch = step = 0
    checkpoint = job.checkpoints.latest()
    if checkpoint:
        state, (epoch, step) = {name: array.copy() for name, array in checkpoint[0].items()}, checkpoint[1]["at"]
    if job.start is not None:
        state["sums"] += job.start.mean * job.start.count
        state["count"] += job.start.count
    while epoch < settings.epochs:
        seed = job.seed + epoch if settings.shuffle else None
        batches = job.channels["train"].batches(
            settings.mini_batch_size, start=step * settings.mini_batch_size, shuffle=seed
        )
        for batch in job.in_step(batches, nothing(d)):
            sums = batch.dense().astype(np.float64).sum(axis=0)
            count = np.array([float(len(batch))])
            job.group.sum_(sums, count)
            state["sums"] += sums
            state["count"] += count
            state["trace"] = np.append(state["trace"], sums[0])  # so that the order of rows matters
            step += 1
            _go_wrong(job)
            time.sleep(settings.pause)
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save(state, {"at": [epoch, step]})
        if job.stopping():
            job.reporter.note(f"stopped after {state['count'][0]:.0f} rows")
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:norm": float(np.linalg.norm(state["sums"] / state["count"]))}, epoch=epoch)
        job.reporter.progress(epoch, settings.epochs)
        job.checkpoints.save(state, {"at": [epoch, 0]})
    if state["count"][0] == 0:
        raise Stopped
    model = Model(state["sums"] / state["count"], float(state["count"][0]), state["trace"])
    _score(job, model)
    return model


def _go_wrong(job):
    settings = job.hyperparameters
    if settings.faulty != job.group.rank:
        return
    if settings.fault == "bug":
        raise IndexError("index 7 is out of bounds") from KeyError("center")
    if settings.fault == "memory":
        raise MemoryError("Unable to allocate 9 EiB")
    if settings.fault == "torch":
        sentence = (
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12 (no memory)"
        )
        raise RuntimeError(f"[enforce fail at alloc_cpu.cpp:127] err == 0. {sentence}")
    if settings.fault == "user":
        raise UserError(["train/part-3.csv, line 121: not a row of numbers: '1,zwei'.", "And another."])
    if settings.fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def _score(job, model):
    if "test" not in job.channels:
        return
    mine = job.channels["test"].all()
    sums, count = mine.dense().astype(np.float64).sum(axis=0), np.array([float(len(mine))])
    if not len(mine):
        sums = np.zeros(len(model.mean))
    job.group.sum_(sums, count)
    job.reporter.report({"test:gap": float(np.linalg.norm(model.mean - sums / count))})
    job.reporter.keep("means.csv", {"feature": np.arange(len(model.mean)), "mean": model.mean})
