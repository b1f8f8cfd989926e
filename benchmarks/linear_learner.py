"""Linear models side by side, beside scikit-learn's stochastic gradients and solvers and Vowpal Wabbit.

Whole jobs: from rows in memory, not scaled, to a chosen model. All make EPOCHS passes and stop nowhere before; all are
judged on the same quarter of the rows. Vowpal Wabbit reads a cache that it has made before, with features that were
scaled before; neither is in its time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled, machine
from benchmarks.data import diamonds, letters, magic, spambase, whole_fashion
from benchmarks.measure import US, Case, Laps, Row, main, race

EPOCHS = 15
ALPHAS = (1e-6, 1e-5, 1e-4, 1e-3)  # of the four fits; the best on the quarter counts, to their advantage
ALONE = f"{US} (one model)"
CLASSES = {"letter, 20,000 rows of 16": 26, "Fashion-MNIST, 70,000 rows of 784": 10}


@dataclass(frozen=True)
class Split:
    """A quarter of the rows, stratified where there are classes, is for judging."""

    kind: str
    classes: int
    rows: Any
    label: Any
    others: Any
    answers: Any

    @property
    def metric(self) -> str:
        """How answers are judged."""
        return "RMSE" if self.kind == "regressor" else "accuracy"

    @property
    def better(self) -> Any:
        """Which way it goes."""
        return "lower" if self.kind == "regressor" else "higher"

    def quality(self, predicted: Any) -> float:
        """Of answers for the quarter."""
        import numpy as np

        if self.kind == "regressor":
            return float(np.sqrt(((np.asarray(predicted, float) - self.answers) ** 2).mean()))
        return float((np.asarray(predicted) == self.answers).mean())


def _blob(n: int = 1_000_000, d: int = 50) -> Any:
    """Two classes that overlap, told apart by a plane and some noise."""
    import numpy as np

    random = np.random.default_rng(0)
    rows = random.standard_normal((n, d), np.float32) * np.float32(3) + np.float32(1)
    margin = rows @ random.normal(size=d) / 10 + random.logistic(size=n)
    return rows, (margin > np.median(margin)).astype(np.int64)


SETS: dict[str, tuple[str, Callable[[], Any]]] = {
    "spambase, 4,597 rows of 57": ("binary_classifier", spambase),
    "magic, 19,020 rows of 10": ("binary_classifier", magic),
    "diamonds, 53,940 rows of 23": ("regressor", diamonds),
    "letter, 20,000 rows of 16": ("multiclass_classifier", letters),
    "Fashion-MNIST, 70,000 rows of 784": ("multiclass_classifier", whole_fashion),
    "synthetic, 1,000,000 rows of 50": ("binary_classifier", _blob),
}
SLOW = ("Fashion-MNIST, 70,000 rows of 784", "synthetic, 1,000,000 rows of 50")


@cache
def split(name: str) -> Split:
    """The rows of a set, shuffled."""
    from sklearn.model_selection import train_test_split

    kind, load = SETS[name]
    rows, label = load()
    by = None if kind == "regressor" else label
    train, test, label, answers = train_test_split(rows, label, test_size=0.25, random_state=0, stratify=by)
    return Split(kind, CLASSES.get(name, 1), train, label, test, answers)


def ours(data: Split, models: int) -> Any:
    """The whole job, but for reading files: scaling, training, judging every epoch, choosing."""
    import numpy as np

    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
    from algoport.algorithms.linear_learner.train import fit

    given = {"predictor_type": data.kind, "epochs": EPOCHS, "early_stopping_patience": EPOCHS + 1}
    given |= {"num_models": models}
    if data.classes > 1:
        given["num_classes"] = data.classes
    rows = Rows(features=data.rows, label=np.asarray(data.label, np.float32).reshape(-1, 1))

    settings = Hyperparameters.read({name: str(value) for name, value in given.items()})
    return fit(Job(hyperparameters=settings, channels={"train": Memory(rows)}))


def _answer(data: Split, model: Any) -> Any:
    from algoport.algorithms.contract.records import Rows

    answers = model.predict(Rows(features=data.others), None)
    return answers["score" if data.kind == "regressor" else "predicted_label"].reshape(-1)


def descents(data: Split, alphas: Sequence[float]) -> list[Any]:
    """scikit-learn's SGD, once for each alpha, as many at once as there are cores; scaling is done once."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    rows = scaler.fit_transform(data.rows)
    alone = machine.cores() if len(alphas) == 1 else 1

    def fitted(alpha: float) -> Any:
        settings: dict[str, Any] = {"alpha": alpha, "max_iter": EPOCHS, "tol": None, "random_state": 0}
        if data.kind == "regressor":
            model: Any = SGDRegressor(**settings)
        else:
            model = SGDClassifier(loss="log_loss", n_jobs=alone, **settings)
        return make_pipeline(scaler, model.fit(rows, data.label))

    with ThreadPoolExecutor(machine.cores()) as pool:
        return list(pool.map(fitted, alphas))


def solver(data: Split) -> Any:
    """scikit-learn's solver of the same problem to the end."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = Ridge() if data.kind == "regressor" else LogisticRegression(max_iter=200)
    return make_pipeline(StandardScaler(), model).fit(data.rows, data.label)


class Wabbit:
    """Vowpal Wabbit's own loop over its own cache."""

    def __init__(self, data: Split, folder: str) -> None:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        self.data, self.folder = data, Path(folder)
        loss = "squared" if data.kind == "regressor" else "logistic"
        self.settings = f"--loss_function {loss} --holdout_off --quiet -b 18"
        self.settings += f" --oaa {data.classes}" if data.classes > 1 else ""
        self._write("train", scaler.fit_transform(data.rows), data.label)
        self._write("test", scaler.transform(data.others), data.answers)
        self._run(f"-d {self.folder}/train --cache_file {self.folder}/cache --passes 1 {self.settings}")

    def fit(self) -> Path:
        """The model's file after all passes."""
        path = self.folder / "model"
        cached = f"-d {self.folder}/train --cache_file {self.folder}/cache --passes {EPOCHS} -f {path}"
        self._run(f"{cached} {self.settings}")
        return path

    def answers(self, path: Path) -> Any:
        """For the quarter."""
        import numpy as np

        file = self.folder / "answers"
        self._run(f"-d {self.folder}/test -t -i {path} -p {file} --quiet")
        scores = np.array([float(line.split()[0]) for line in file.read_text().splitlines()])
        if self.data.kind == "regressor":
            return scores
        return scores - 1 if self.data.classes > 1 else scores > 0

    def _write(self, name: str, rows: Any, label: Any) -> None:
        more = self.data.classes > 1
        with (self.folder / name).open("w") as file:
            for row, own in zip(rows, label, strict=True):
                target = own + 1 if more else own if self.data.kind == "regressor" else 2 * own - 1
                file.write(f"{target} | " + " ".join(f"{i}:{value:.6g}" for i, value in enumerate(row)) + "\n")

    def _run(self, settings: str) -> None:
        from vowpalwabbit import Workspace

        space = Workspace(settings)
        space.run_parser()
        space.finish()


def whole_jobs(name: str) -> list[Row]:
    """32 models against four fits, one against one, and what solvers reach."""
    data = split(name)
    slow = name in SLOW
    with tempfile.TemporaryDirectory() as folder:
        wabbit = Wabbit(data, folder)
        competitors: dict[str, Callable[[], Any]] = {
            US: lambda: ours(data, 32),
            ALONE: lambda: ours(data, 1),
            "four of SGD": lambda: descents(data, ALPHAS),
            "SGD": lambda: descents(data, [1e-4]),
            "solver": lambda: solver(data),
            "vowpal wabbit": wabbit.fit,
        }
        laps = race(competitors, laps=1 if slow else 5, warm=0 if slow else 1)
        if slow:  # the first lap compiled nothing: kernels are kept, and loaded by a small job
            laps[US], laps[ALONE] = (race({"": partial(ours, data, m)}, laps=3)[""] for m in (32, 1))
        qualities = _qualities(data, laps, wabbit)
    best = (max if data.better == "higher" else min)(qualities[peer] for peer in ("four of SGD", "solver"))

    def row(mine: str, peer: str, called: str, goal: float | None, note: str) -> Row:
        return Row(
            case=f"{name}, {'32 models' if mine == US else 'one model'}", peer=called, ours=laps[mine],
            peers=laps[peer], goal=goal, metric=data.metric, better=data.better, quality=qualities[mine],
            peer_quality=qualities[peer], quality_goal=1.005 if data.better == "lower" else 0.995, note=note,
        )  # fmt: skip

    share = f"The best {data.metric} of scikit-learn's four fits and its solver: {best:.4g}."
    return [
        row(US, "four of SGD", "scikit-learn SGD, 4 fits", 1.0, share),
        row(ALONE, "SGD", "scikit-learn SGD", 2.0, "One fit each; ours also chooses among its epochs."),
        row(US, "solver", "scikit-learn solver", None, "LogisticRegression or Ridge, as they are."),
        row(ALONE, "vowpal wabbit", "vowpal wabbit", None, "Reading its cache; parsing and scaling left out."),
    ]


def _qualities(data: Split, laps: Mapping[str, Laps], wabbit: Wabbit) -> dict[str, float]:
    choose = max if data.better == "higher" else min
    qualities = {name: data.quality(_answer(data, laps[name].result)) for name in (US, ALONE)}
    for name in ("four of SGD", "SGD"):
        qualities[name] = choose(data.quality(model.predict(data.others)) for model in laps[name].result)
    qualities["solver"] = data.quality(laps["solver"].result.predict(data.others))
    qualities["vowpal wabbit"] = data.quality(wabbit.answers(laps["vowpal wabbit"].result))
    return qualities


# Rows, features, models, outputs of each.
STEPS = {
    "1,000 rows of 10, 32 models": (1000, 10, 32, 1),
    "1,000 rows of 57, 32 models": (1000, 57, 32, 1),
    "1,000 rows of 784, 32 models": (1000, 784, 32, 1),
    "1,000 rows of 16, 32 models of 26 classes": (1000, 16, 32, 26),
    "1,000 rows of 784, 32 models of 10 classes": (1000, 784, 32, 10),
    "1,000 rows of 784, one model of 1,000 classes": (1000, 784, 1, 1000),
    "1,000 rows of 10, one model": (1000, 10, 1, 1),
    "1,000 rows of 784, one model": (1000, 784, 1, 1),
}


def one_step(name: str) -> list[Row]:
    """The gradients of a batch against the time that their two products would take at the processor's peak."""
    import numpy as np

    from algoport.algorithms.linear_learner import kernels
    from benchmarks.peak import peak

    n, d, m, k = STEPS[name]
    random = np.random.default_rng(0)
    loss = kernels.SOFTMAX if k > 1 else kernels.LOGISTIC
    given = (
        random.standard_normal((n, d), np.float32), np.zeros(d, np.float32), np.ones(d, np.float32),
        random.integers(0, max(k, 2), n).astype(np.float32), np.ones(n, np.float32), np.ones(m),
        random.standard_normal((d, m * k), np.float32) / np.float32(d), np.zeros(m * k, np.float32), loss, 0.0,
    )  # fmt: skip
    room = np.zeros((d, m * k), np.float32), np.zeros(m * k, np.float32), np.zeros(m)
    times = max(1, int(2e9 / (n * d * m * k)))

    def steps() -> None:
        for _ in range(times):
            kernels.gradients(*given, *room)

    most = peak()
    done = race({US: steps})[US]
    mine = Laps([lap / times for lap in done.seconds], None)
    work = 4.0 * n * d * m * k
    ideal = Laps([work / most], None)
    note = f"{work / mine.median / 1e9:.0f} of {most / 1e9:.0f} Gflop/s."
    return [Row(case=f"gradients, {name}", peer="peak", ours=mine, peers=ideal, note=note)]


CASES = [
    *(Case(f"whole job, {name}", partial(whole_jobs, name)) for name in SETS),
    *(Case(f"gradients, {name}", partial(one_step, name), promised=False) for name in STEPS),
]

if __name__ == "__main__":
    compiled.prepare()
    main("linear_learner", CASES)
