"""How large a step is."""

import pytest

from algoport.algorithms.shared.neural import schedules


def test_a_stepped_rate_falls_at_each_end():
    rates = [schedules.step_decay(0.1, 0.5, (20, 30), steps) for steps in (0, 19, 20, 29, 30, 99)]

    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_a_falling_rate_is_held_for_half_and_never_nothing():
    rates = [schedules.linear_decay(1.0, 0.02, steps, 100) for steps in (0, 50, 75, 99, 100, 200)]

    assert rates == pytest.approx([1.0, 1.0, 0.5, 0.02, 0.02, 0.02])


def test_polynomial_and_cosine_decay_end_at_nothing():
    ends = [schedules.polynomial_decay(0.1, 0.9, 100, 100), schedules.cosine_decay(0.1, 100, 100)]
    middle = [schedules.polynomial_decay(0.1, 2.0, 50, 100), schedules.cosine_decay(0.1, 50, 100)]

    assert ends == [0.0, 0.0] and middle == pytest.approx([0.025, 0.05])
    assert schedules.polynomial_decay(0.1, 0.9, 0, 100) == schedules.cosine_decay(0.1, 0, 100) == 0.1
    assert schedules.polynomial_decay(0.1, 0.9, 101, 100) == schedules.cosine_decay(0.1, 101, 100) == 0.0


def test_rates_of_inverse_time_have_halved_after_the_half_life():
    rates = [schedules.inverse_time(0.2, 30, 30), schedules.inverse_square_root(0.2, 30, 30)]

    assert rates == pytest.approx([0.1, 0.1])
    assert schedules.inverse_time(0.2, 30, 90) == pytest.approx(0.05)
    assert schedules.inverse_square_root(0.2, 30, 150) == pytest.approx(0.05)
