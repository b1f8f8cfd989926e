"""What the versions that images are built with cover."""

from __future__ import annotations

from typing import Any

from algoport.containers.image import lock


def test_what_images_need_is_locked_and_what_tests_need_is_not() -> None:
    locked = lock.locked_versions()

    assert {"numpy", "torch", "flask", "werkzeug", "opencv-python-headless", "onnx"} <= set(locked)
    assert not {"pytest", "mypy", "hypothesis", "xgboost-cpu"} & set(locked)
    assert set(lock.all_requirements()) <= set(locked)


def test_what_is_locked_lies_in_the_ranges_that_are_asked_for() -> None:
    locked = lock.locked_versions()

    outside = [
        str(one)
        for one in lock.direct_requirements()
        if not one.specifier.contains(locked[lock.canonicalize_name(one.name)])
    ]

    assert not outside


def test_what_is_installed_is_written_as_releases(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(lock, "LOCK", tmp_path / "constraints.txt")
    monkeypatch.setattr(lock.metadata, "version", lambda name: "2.13.0+cpu")

    lock.main()

    assert lock.locked_versions() == dict.fromkeys(lock.all_requirements(), "2.13.0")
