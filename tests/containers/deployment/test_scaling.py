"""The number of instances against the load."""

from __future__ import annotations

import pytest

from algoport.containers.deployment.description import bounds
from algoport.containers.deployment.scaling import Scaler


def steps(scaler: Scaler, start: float, loads: list[int], lowest: int = 1, highest: int = 8) -> list[int]:
    """What is wanted at each of these loads, one a quarter of a second."""
    return [scaler.wanted(start + i / 4, load, lowest=lowest, highest=highest) for i, load in enumerate(loads)]


def test_it_rises_with_the_mean_and_falls_after_the_cool_down() -> None:
    scaler = Scaler(target=4, cool_down=10)

    quiet = steps(scaler, 0, [1] * 20)
    busy = steps(scaler, 5, [12] * 20)
    less = steps(scaler, 10, [5] * 60)
    none = steps(scaler, 25, [0] * 60)

    assert set(quiet) == {1}
    assert busy[0] == 1 and busy[-1] == 3 and busy == sorted(busy)
    assert less[0] == 3 and less[30] == 3 and less[-1] == 2
    assert none[-1] == 1


def test_a_moment_is_no_load_and_bounds_hold() -> None:
    scaler = Scaler(target=1, cool_down=1)

    assert max(steps(scaler, 0, [0] * 12 + [4])) == 1
    assert max(steps(scaler, 4, [100] * 20)) == 8
    assert steps(scaler, 10, [0] * 30, lowest=2)[-1] == 2


def test_all_may_go_and_one_comes_back() -> None:
    scaler = Scaler(target=4, cool_down=1)

    assert steps(scaler, 0, [0] * 20, lowest=0)[-1] == 0
    assert steps(scaler, 5, [1], lowest=0) == [1]
    assert steps(scaler, 5.25, [0] * 30, lowest=0)[-1] == 0


def test_what_instances_says() -> None:
    assert bounds("2") == (2, 2) and bounds("0..3") == (0, 3)
    for text in ("0", "x", "1..", "3..1", "1..65", "-1"):
        with pytest.raises(Exception, match="--instances: must be"):
            bounds(text)
