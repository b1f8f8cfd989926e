"""The image compiles what its example reaches: every way in which trees answer must be among it."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
from algoport.algorithms.xgboost.kernels import planes, walks
from algoport.algorithms.xgboost.train import fit
from algoport.training.examples import examples


def test_the_examples_reach_every_way_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = set()

    def noted(module, name):
        kernel = getattr(module, name)

        def call(*arguments):
            reached.add(name if module is walks else "planes")
            return kernel(*arguments)

        monkeypatch.setattr(module, name, call)

    noted(planes, "add"), noted(walks, "add"), noted(walks, "add_alone")
    monkeypatch.setattr("numba.get_num_threads", lambda: 2)
    for given, rows in examples("xgboost")[-2:]:
        channels = {name: Memory(part) for name, part in rows.items()}
        model = fit(Job(hyperparameters=Hyperparameters.read(given), channels=channels))
        model.predict(rows["train"][:1])
        model.predict(rows["train"])

    assert reached == {"planes", "add", "add_alone"}
