"""Keys of sparse rows may lie anywhere below 2^31: what they cost follows what rows mention."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.options import Options
from tests.algorithms.xgboost.jobs import Reports, trained

EDGES = (1 << 15, 1 << 16, (1 << 31) - 2)
GIVEN = {"objective": "binary:logistic", "max_depth": 3}


def keys(last: int) -> np.ndarray[Any, Any]:
    """Six features, the last of which is the one given."""
    return np.array([0, 3, 7, 300, 30_000, last])


def sparse_rows(last: int | None, n: int = 300, seed: int = 0) -> Rows:
    """Rows that mention some of six features, which lie at `keys`, or side by side where no last one is given."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, 6)).round(2).astype(np.float32)
    label = (values[:, 0] + values[:, 5] > 0).astype(np.float32)[:, None]
    narrow = sparse.csr_array(np.where(random.random(values.shape) < 0.4, np.float32(0), values))
    if last is None:
        return Rows(features=narrow, label=label)
    triple = narrow.data, keys(last)[narrow.indices], narrow.indptr
    return Rows(features=sparse.csr_array(triple, shape=(n, last + 1)), label=label)


def both(last: int | None) -> dict[str, Rows]:
    return {"train": sparse_rows(last), "validation": sparse_rows(last, 80, 1)}


@pytest.mark.parametrize("last", EDGES)
@pytest.mark.parametrize("more", [{}, {"booster": "dart", "rate_drop": 0.3}, {"tree_method": "exact"}])
def test_a_key_near_a_power_of_two_leaves_the_model_that_a_small_one_does(last: int, more: dict[str, Any]) -> None:
    narrow, wide = trained(both(None), {**GIVEN, **more}), trained(both(last), {**GIVEN, **more})

    for ours, theirs in zip(wide.booster.forest.trees, narrow.booster.forest.trees, strict=True):
        np.testing.assert_array_equal(ours.threshold, theirs.threshold)
        inner = ~ours.is_leaf
        np.testing.assert_array_equal(ours.feature[inner], keys(last)[theirs.feature[inner]])
    assert any((tree.feature == last).any() for tree in wide.booster.forest.trees)
    np.testing.assert_array_equal(wide.prediction(sparse_rows(last)), narrow.prediction(sparse_rows(None)))


def test_a_wide_model_is_saved_answers_and_is_trained_further_within_the_memory_of_its_rows(tmp_path: Path) -> None:
    last, reports = EDGES[-1], Reports()
    tracemalloc.start()

    trained(both(last), GIVEN, reports).save(tmp_path)
    model = Model.load(tmp_path)
    more = trained(both(last), GIVEN, start=model)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
    assert model.width == last + 1 and more.booster.rounds == 10
    assert any("6 of the 2147483647 columns are mentioned" in note for note in reports.notes)
    narrow = trained(both(None), GIVEN, start=trained(both(None), GIVEN))
    np.testing.assert_array_equal(more.prediction(sparse_rows(last)), narrow.prediction(sparse_rows(None)))


def test_the_library_reads_a_model_of_the_widest_rows_and_answers_as_ours_does(tmp_path: Path) -> None:
    for last in ((1 << 20) - 1, EDGES[-1]):
        model = trained(both(last), GIVEN)
        model.save(tmp_path)
        theirs = xgboost.Booster(model_file=str(tmp_path / "xgboost-model"))

        assert theirs.num_features() == last + 1
    model = trained(both((1 << 20) - 1), GIVEN)
    model.save(tmp_path)
    theirs = xgboost.Booster(model_file=str(tmp_path / "xgboost-model"))
    rows = sparse_rows((1 << 20) - 1)
    np.testing.assert_allclose(model.prediction(rows), theirs.predict(xgboost.DMatrix(rows.features)), atol=1e-6)


def test_constraints_name_the_features_by_their_own_numbers() -> None:
    given = {**GIVEN, "monotone_constraints": "(1,0,0,-1)", "interaction_constraints": f"[[0, {EDGES[1]}], [3, 300]]"}
    narrow = {**given, "interaction_constraints": "[[0, 5], [1, 3]]", "monotone_constraints": "(1,-1)"}

    wide, side_by_side = trained(both(EDGES[1]), given), trained(both(None), narrow)

    for ours, theirs in zip(wide.booster.forest.trees, side_by_side.booster.forest.trees, strict=True):
        np.testing.assert_array_equal(ours.threshold, theirs.threshold)


def test_a_linear_booster_is_as_wide_as_its_file_may_be() -> None:
    given = {**GIVEN, "booster": "gblinear", "updater": "coord_descent"}

    wide, narrow = trained(both(1 << 17), given), trained(both(None), given)

    np.testing.assert_array_equal(wide.booster.linear[keys(1 << 17)], narrow.booster.linear[:-1])
    with pytest.raises(UserError, match="gblinear writes a weight for each of the 2147483647 features"):
        trained(both(EDGES[-1]), given)


def test_dense_validation_beside_the_widest_sparse_rows_takes_no_more_than_it_has() -> None:
    rows = both(EDGES[-1])
    dense = replace(rows["validation"], features=np.ones((80, 3), np.float32))

    assert trained({**rows, "validation": dense}, GIVEN).width == EDGES[-1] + 1


@pytest.mark.parametrize("contributions", ["shapley", "approximate"])
def test_contributions_of_a_model_of_too_many_features_are_refused(contributions: str) -> None:
    model = trained(both(EDGES[-1]), GIVEN)

    with pytest.raises(UserError, match="must not be asked of a model of 2147483647 features"):
        model.predict(sparse_rows(EDGES[-1], 1), Options.read({"contributions": contributions}, noun="an option"))


def test_dense_rows_narrower_than_the_widest_model_lack_what_they_do_not_have() -> None:
    model = trained(both(EDGES[-1]), GIVEN)
    rows = Rows(features=np.ones((5, 4), np.float32))

    mentioned = sparse.csr_array((np.ones(20, np.float32), np.tile(np.arange(4), 5), np.arange(0, 24, 4)), shape=(5, 8))
    np.testing.assert_array_equal(model.prediction(rows), model.prediction(Rows(features=mentioned)))
