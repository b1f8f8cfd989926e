"""What a tree adds to the margins of a round."""

from __future__ import annotations

import numpy as np
import pytest

from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost import interchange
from algoport.algorithms.xgboost.boosting import one_tree
from algoport.algorithms.xgboost.kernels import update
from tests.algorithms.xgboost.trained import rows as made


@pytest.mark.parametrize("n", [1, update.NEAR, update.NEAR + 1])
def test_a_tree_adds_to_margins_what_it_answers(n: int) -> None:
    import xgboost

    random = np.random.default_rng(n)
    matrix = xgboost.DMatrix(made(600), random.normal(size=600))
    library = xgboost.train({"max_depth": 5, "gamma": 0.3}, matrix, 2)
    tree = interchange.read(bytes(library.save_raw("json")), "here").forest.trees[1]
    rows, margins = made(n, seed=1), random.normal(size=(n, 3)).astype(np.float32)
    expected = margins.copy()
    expected[:, 1] += one_tree(tree).margins(rows, np.zeros(1, np.float32), 1)[:, 0]

    update.answer(team(), rows, tree.left, tree.right, tree.feature, tree.threshold, tree.default_left, margins, 1)

    np.testing.assert_array_equal(margins, expected)
