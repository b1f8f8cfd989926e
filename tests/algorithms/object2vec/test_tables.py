"""Tables whose rows are moved when they are used: against Adam on the whole table at each step."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.object2vec.tables import Table
from algoport.algorithms.shared.neural import rules
from algoport.algorithms.shared.neural.sparse import RowGradient

STEPS, ROWS, WIDTH = 60, 9, 5


def test_rows_that_wait_for_their_steps_end_where_adam_on_the_whole_table_has_them() -> None:
    random = np.random.default_rng(0)
    rule = rules.Rule(kind="adam", rate=0.01)
    values = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    table, plain = Table(rule, values.copy(), dense=True), values.copy()
    memory = [np.zeros(values.size, np.float32) for _ in range(2)]

    for step in range(1, STEPS + 1):
        used = np.sort(random.choice(ROWS - 1, random.integers(1, 4), replace=False))  # never the last row
        gradient = random.normal(size=(len(used), WIDTH)).astype(np.float32)
        table.begin(used)
        np.testing.assert_allclose(table.values[used], plain[used], rtol=1e-4, atol=1e-5)
        table.step(RowGradient(used, gradient), 4.0)
        whole = np.zeros_like(values)
        whole[used] = gradient
        rules.step_(rule, plain.reshape(-1), whole.reshape(-1), memory, count=4.0, updates=step)
    table.settle()

    np.testing.assert_allclose(table.values, plain, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(table.values[-1], values[-1])


def test_a_row_that_another_member_used_is_moved_before_its_step() -> None:
    """`begin` names this member's rows; the gradient has those of all."""
    random = np.random.default_rng(1)
    rule = rules.Rule(kind="adam", rate=0.01)
    values = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    one, other = (Table(rule, values.copy(), dense=True) for _ in range(2))
    rows = np.array([1, 4])

    for step in range(5):
        gradient = RowGradient(rows[: 1 + (step % 4 == 0)], random.normal(size=(1 + (step % 4 == 0), WIDTH)))
        gradient = RowGradient(gradient.rows, gradient.values.astype(np.float32))
        one.begin(gradient.rows)
        other.begin(np.empty(0, np.int64))
        one.step(gradient, 1.0)
        other.step(gradient, 1.0)

    np.testing.assert_array_equal(one.values, other.values)
