"""FAISS opens the index that a model leaves, and answers alike; what FAISS writes is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.knn import faiss_file, kernels
from algoport.algorithms.knn.model import Model
from algoport.algorithms.knn.options import Options
from tests.algorithms.knn.jobs import labeled, trained
from tests.data import digits

faiss = pytest.importorskip("faiss")

KINDS: list[dict[str, Any]] = [
    {},
    {"index_metric": "INNER_PRODUCT"},
    {"index_metric": "COSINE"},
    {"index_type": "faiss.IVFFlat", "faiss_index_ivf_nlists": 20},
    {"index_type": "faiss.IVFFlat", "faiss_index_ivf_nlists": 20, "index_metric": "COSINE"},
    {"index_type": "faiss.IVFPQ", "faiss_index_ivf_nlists": 20, "faiss_index_pq_m": 16},
]


@pytest.mark.parametrize("settings", KINDS, ids=lambda kind: " ".join(map(str, kind.values())) or "flat")
def test_faiss_opens_the_index_and_answers_alike(settings: dict[str, Any], tmp_path: Path) -> None:
    rows, label = digits()
    model = trained(labeled(rows[:1500], label[:1500]), **settings)
    model.save(tmp_path)
    queries = model.preparation(rows[1500:], "A row")

    theirs = faiss.read_index(str(tmp_path / "model_algo-1"))
    distances, numbers = theirs.search(queries, 5)

    ours, own = model.index.search(queries, 5)
    sign = 1 if model.index.metric == kernels.SQUARES else -1
    # Whole numbers have ties, in which faiss takes another; what it measures in float32 may be the other way round.
    np.testing.assert_allclose(sign * ours, distances, rtol=1e-3, atol=1e-3)
    assert (own == numbers).mean() > 0.97
    assert theirs.ntotal == 1500 and theirs.d == 64


@pytest.mark.parametrize("kind", ["Flat", "IVF20,Flat", "IVF20,PQ16", "IDMap,Flat"])
def test_what_faiss_writes_is_served_with_labels_and_metadata(kind: str, tmp_path: Path) -> None:
    rows, label = digits()
    index = faiss.index_factory(64, kind)
    index.train(rows[:1500])
    if kind.startswith("IDMap"):
        index.add_with_ids(rows[:1500], np.arange(1500))
    else:
        index.add(rows[:1500])
    faiss.write_index(index, str(tmp_path / "model_algo-1"))
    label[:1500].astype("<f4").tofile(tmp_path / "model_algo-1.labels")
    text = '{"k": 5, "predictor_type": "classifier", "dimension_reduction": {}, "normalize": False, "version": "1.0"}'
    (tmp_path / "model_algo-1.json").write_text(text)

    model = Model.load(tmp_path)

    answer = model.predict(Rows(features=rows[1500:]), Options(verbose=True))
    if kind.startswith("IVF"):
        assert model.index.size == 1500
    else:
        want = index.search(rows[1500:], 5)[1]
        assert (answer["neighbors"] == want).mean() > 0.99
    assert (answer["predicted_label"] == label[1500:]).mean() > 0.9


def test_a_file_that_is_cut_anywhere_is_refused_by_a_sentence() -> None:
    rows, _ = digits()
    index = faiss.index_factory(64, "IVF4,PQ4")
    index.train(rows[:400])
    index.add(rows[:300])
    whole = bytes(faiss.serialize_index(index))
    faiss_file.read(memoryview(whole), "it")

    for size in [*range(0, 200), *range(200, len(whole), 4001), len(whole) - 1]:
        with pytest.raises(UserError, match="it: is not a FAISS index"):
            faiss_file.read(memoryview(whole[:size]), "it")


def test_lengths_that_no_memory_holds_are_refused() -> None:
    rows, _ = digits()
    index = faiss.IndexFlatL2(64)
    index.add(rows[:10])
    whole = bytearray(faiss.serialize_index(index))
    for at in range(4, 45):
        damaged = bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
        try:
            faiss_file.read(memoryview(damaged), "it")
        except UserError:
            continue
