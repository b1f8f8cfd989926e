"""The store changes a state once, for one of those who want it."""

from __future__ import annotations

import threading

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.home import Home
from algoport.containers.control.store import TRAINING, TUNING, Store


def test_a_name_is_used_once(store: Store) -> None:
    store.submit(TRAINING, "a", {"x": 1})

    with pytest.raises(UserError, match="There is a training job of the name 'a' already"):
        store.submit(TRAINING, "a", {})
    store.submit(TUNING, "a", {})

    row = store.get(TRAINING, "a")
    assert row is not None and row.request == {"x": 1} and row.state == "Pending"


def test_of_many_who_want_the_same_change_one_gets_it(store: Store, home: Home) -> None:
    store.submit(TRAINING, "a", {})
    row = store.get(TRAINING, "a")
    assert row is not None
    gained = []

    def take() -> None:
        other = Store(home.store)
        gained.append(other.change(TRAINING, row, "Starting", attempt=1))
        other.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(gained) == [False] * 7 + [True]
    assert [what for _, what, _ in store.events(TRAINING, "a")] == ["Pending", "Starting"]


def test_a_stop_is_asked_for_once_and_an_interruption_gives_way_to_it(store: Store) -> None:
    store.submit(TRAINING, "a", {})

    assert store.ask_to_stop(TRAINING, "a", "Interrupted")
    assert store.ask_to_stop(TRAINING, "a", "Stopped")
    assert not store.ask_to_stop(TRAINING, "a", "Interrupted")
    store.forget_interruption("a")

    row = store.get(TRAINING, "a")
    assert row is not None and row.stop == "Stopped"
    store.change(TRAINING, row, "Stopped")
    assert not store.ask_to_stop(TRAINING, "a", "Stopped") and store.is_idle()


def test_the_number_among_the_children_of_one_parent_is_used_once(store: Store) -> None:
    store.submit(TRAINING, "b", {}, parent="t", number=2)
    store.submit(TRAINING, "a", {}, parent="t", number=1)

    with pytest.raises(UserError):
        store.submit(TRAINING, "c", {}, parent="t", number=2)

    assert [row.name for row in store.children(TRAINING, "t")] == ["a", "b"]
