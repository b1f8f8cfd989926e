"""Cores and memory are shared out in order."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control import scheduler
from algoport.containers.control.scheduler import Machine, Need

HERE = Machine(cores=4, memory=100)


def need(name: str, cores: float = 1, memory: int = 0, spot: bool = False) -> Need:
    return Need(name=name, cores=cores, memory=memory, spot=spot)


def names(needs: list[Need]) -> str:
    return "".join(one.name for one in needs)


def test_jobs_start_while_cores_and_memory_last() -> None:
    waiting = [need("a", 2, 50), need("b", 1, 40), need("c", 1, 20), need("d")]

    assert names(scheduler.admitted(waiting, [], HERE)) == "ab", "c does not fit, and d does not overtake it"
    assert names(scheduler.admitted(waiting, [need("x", 3)], HERE)) == ""


def test_thirds_of_a_machine_are_three() -> None:
    waiting = [need(letter, 4 / 3) for letter in "abcd"]

    assert names(scheduler.admitted(waiting, [], HERE)) == "abc"


def test_jobs_on_demand_come_before_spot_jobs() -> None:
    waiting = [need("a", 4, spot=True), need("b", 4)]

    assert names(scheduler.admitted(waiting, [], HERE)) == "b"


def test_only_as_many_spot_jobs_are_interrupted_as_is_needed() -> None:
    running = [need("a", 1, spot=True), need("b", 1), need("c", 1, spot=True), need("d", 1, spot=True)]

    assert names(scheduler.interrupted([need("x", 2)], running, HERE)) == "dc"
    assert scheduler.interrupted([need("x", 4)], running, HERE) == [], "it would not fit beside b"
    assert scheduler.interrupted([need("x", 1, spot=True)], running, HERE) == []


def test_what_never_fits_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        scheduler.check(need("a", 5, 101), HERE)

    assert caught.value.findings == [
        "cores: must be at most 4, which this machine has; it is 5.",
        "memory: must be at most 100 bytes, which this machine has; it is 101.",
    ]
