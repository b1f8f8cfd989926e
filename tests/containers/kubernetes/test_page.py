"""docs/cluster.md, run as it stands there; what needs a cluster stands in blocks of shell, which are not."""

from __future__ import annotations

from pathlib import Path

from tests import sessions


def test_the_page_says_what_the_commands_say(tmp_path: Path) -> None:
    assert not sessions.run(sessions.ROOT / "docs" / "cluster.md", tmp_path)
