"""Which packages are audited, and what is said where that cannot be."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from algoport.containers.image import audit


def answering(text: str, code: int, stream: str = "stdout") -> Any:
    other = "stderr" if stream == "stdout" else "stdout"
    return lambda *words: subprocess.CompletedProcess(words, code, **{stream: text, other: ""})


def test_a_known_fault_is_reported_and_fails(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(audit, "_python", answering("flask 0.1 PYSEC-1 Name ID\n", 1))

    assert audit.main() == 1
    assert "PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["unreached", "unknown"])
def test_where_there_is_no_list_that_is_said(how: str, monkeypatch: Any, capsys: Any) -> None:
    count = len(audit.locked_versions())
    fake = answering("ConnectionError: no route\n", 1, "stderr")
    if how == "unknown":
        fake = answering(f"x {audit.UNKNOWN}\n" * count, 0)
    monkeypatch.setattr(audit, "_python", fake)

    assert audit.main() == 0
    assert f"{count} packages are not audited" in capsys.readouterr().out
