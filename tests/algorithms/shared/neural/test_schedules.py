"""How large a step is."""

import pytest

from algoport.algorithms.shared.neural import schedules


def test_a_stepped_rate_falls_at_each_end():
    rates = [schedules.stepped(0.1, 0.5, (20, 30), steps) for steps in (0, 19, 20, 29, 30, 99)]

    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_a_falling_rate_is_held_for_half_and_never_nothing():
    rates = [schedules.falling(1.0, 0.02, steps, 100) for steps in (0, 50, 75, 99, 100, 200)]

    assert rates == pytest.approx([1.0, 1.0, 0.5, 0.02, 0.02, 0.02])
