"""Numbers from the environment: read, defaulted, and refused in one sentence."""

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.training import environment


@pytest.mark.parametrize(("text", "value"), [("2.5", 2.5), ("0", 0.0), ("", 10.0), (None, 10.0), ("inf", float("inf"))])
def test_seconds_are_read_or_the_default(monkeypatch, text, value):
    if text is not None:
        monkeypatch.setenv("ALGOPORT_X", text)

    assert environment.seconds("ALGOPORT_X", 10) == value


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_what_is_no_time_is_reported(monkeypatch, text):
    monkeypatch.setenv("ALGOPORT_X", text)

    with pytest.raises(UserError, match=f"^ALGOPORT_X: must be a number of seconds, 0 or more; it is '{text}'.$"):
        environment.seconds("ALGOPORT_X", 10)


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "²"])
def test_what_is_no_port_is_reported(monkeypatch, text):
    monkeypatch.setenv("MASTER_PORT", text)

    with pytest.raises(UserError, match="MASTER_PORT: must be a port"):
        environment.port("MASTER_PORT", 7777)


def test_a_port_is_read_or_the_default(monkeypatch):
    assert environment.port("MASTER_PORT_X", 7777) == 7777
    monkeypatch.setenv("MASTER_PORT_X", "65535")
    assert environment.port("MASTER_PORT_X", 7777) == 65535
