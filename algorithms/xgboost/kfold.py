"""Cross-validation: a model for each part of the rows that is left out.    n rows"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import joined
from algoport.algorithms.xgboost import interchange, links
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import Part
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.related import Targets
from algoport.algorithms.xgboost.together import Everyone

if TYPE_CHECKING:
    from algoport.algorithms.xgboost.rounds import Job

FOLD = 1 << 21  # what the draws are for, beside the seed
HALF = 0.5
CLASSES = ("binary:logistic", "binary:logitraw", "binary:hinge", *links.SOFTMAX)


def fit(job: Job, plan: Plan, parts: Mapping[str, Part]) -> tuple[Booster, ...]:
    """The boosters of all folds and repeats. Leaves predictions.csv: of every row its label, then the mean over the
    repeats of what models answer that have not seen it, and for classes the one most often answered."""
    from algoport.algorithms.xgboost.rounds import Kept, boosted

    whole = _all(list(parts.values()))
    everyone = Everyone(len(whole), plan.group)
    labels = everyone.of(whole.targets.label)
    kfold, repeats = plan.settings.kfold or 2, plan.settings.num_cv_round
    answers: list[NDArray[np.float32]] = []
    boosters: list[Booster] = []
    figures: list[dict[str, float]] = []
    done = _done(job)
    for repeat in range(repeats):
        fold = folds(labels, kfold, plan.key(FOLD, repeat), stratified=plan.objective.name in CLASSES)[everyone.mine]
        answer: NDArray[np.float32] | None = None
        for number in range(kfold):
            told: dict[str, float] = {}
            left_out = np.flatnonzero(fold == number)
            own = {"train": whole.at(np.flatnonzero(fold != number)), "validation": whole.at(left_out)}
            if len(boosters) < len(done):
                booster = done[len(boosters)]
            else:
                job.reporter.note(f"Train cross validation fold {number + 1}")
                arrays = {f"fold-{i}": _bytes(other) for i, other in enumerate(boosters)}
                kept = Kept(arrays, {"folds": len(boosters)})
                booster = boosted(_listening(job, told), plan, own, None, kept)
            boosters.append(booster)
            figures.append(told)
            found = links.transform(booster.objective, booster.margin(own["validation"].rows))
            answer = np.empty((len(whole), *found.shape[1:]), np.float32) if answer is None else answer
            answer[left_out] = found
            if job.stopping():
                return tuple(boosters)
        assert answer is not None
        answers.append(answer)
        _tell(job, figures[-kfold:], plan.settings.num_round)
    _keep(job, plan, whole, everyone, np.stack(answers))
    return tuple(boosters)


def folds(labels: NDArray[np.float32], kfold: int, key: tuple[int, ...], *, stratified: bool) -> NDArray[np.int64]:
    """(n,) in which part each row is; where `stratified`, each has about the same share of each class."""
    random = np.random.default_rng(key)
    order = random.permutation(len(labels))
    if stratified:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % kfold
    return fold


def _all(parts: list[Part]) -> Part:
    """The rows of all channels one after another."""
    if len(parts) == 1:
        return parts[0]
    targets = [part.targets for part in parts]
    weighted = any(len(own.weight) for own in targets)
    weight = [own.weight if len(own.weight) else np.ones(len(own), np.float32) for own in targets]
    upper = [own.upper for own in targets if own.upper is not None]
    query = [own.query for own in targets if own.query is not None]
    return Part(
        joined([part.rows for part in parts]),
        Targets(
            np.concatenate([own.label for own in targets]),
            np.concatenate(weight) if weighted else np.empty(0, np.float32),
            np.concatenate(upper) if len(upper) == len(targets) else None,
            np.concatenate(query) if len(query) == len(targets) else None,
        ),
    )


def _listening(job: Job, told: dict[str, float]) -> Job:
    """The same job, whose figures are also kept here."""
    from dataclasses import replace

    def report(values: Mapping[str, float], **how: Any) -> None:
        told.update(values)
        job.reporter.report(values, **how)

    return replace(job, reporter=replace(job.reporter, report=report))


def _tell(job: Job, figures: list[dict[str, float]], number: int) -> None:
    """The means over the folds, where all were trained in this run."""
    if all(figures):
        job.reporter.report({name: float(np.mean([own[name] for own in figures])) for name in figures[0]}, epoch=number)


def _done(job: Job) -> list[Booster]:
    old = job.checkpoints.latest()
    if old is None:
        return []
    arrays, facts = old
    return [interchange.read(arrays[f"fold-{i}"].tobytes(), "checkpoint") for i in range(int(facts["folds"]))]


def _bytes(booster: Booster) -> NDArray[np.uint8]:
    return np.frombuffer(interchange.write(booster), np.uint8)


def _keep(job: Job, plan: Plan, whole: Part, everyone: Everyone, answers: NDArray[np.float32]) -> None:
    """predictions.csv, of the rows of all members."""
    label = everyone.of(whole.targets.label)
    every = np.stack([everyone.of(answer) for answer in answers])  # (repeats, n) or (repeats, n, k)
    name = plan.objective.name
    columns: dict[str, Any] = {"label": label}
    if name not in ("multi:softmax", "binary:hinge"):
        mean = every.mean(axis=0, dtype=np.float64)
        if mean.ndim == 1:
            columns["prediction"] = mean
        else:
            columns |= {f"prediction_{j}": mean[:, j] for j in range(mean.shape[1])}
    if name in CLASSES:
        columns["predicted_label"] = _majority(name, every, plan.objective.outputs)
    job.reporter.keep("predictions.csv", columns)


def _majority(name: str, every: NDArray[np.float32], outputs: int) -> NDArray[np.int64]:
    if name == "multi:softprob":
        named = every.argmax(axis=2)
    elif name in ("multi:softmax", "binary:hinge"):
        named = every.astype(np.int64)
    else:
        named = (every > (HALF if name == "binary:logistic" else 0)).astype(np.int64)
    votes = (named[:, :, None] == np.arange(max(2, outputs))).sum(axis=0)
    return np.asarray(votes.argmax(axis=1))
