"""docs/labels.md, run as it stands there."""

from __future__ import annotations

from pathlib import Path

from tests import sessions


def test_the_page_says_what_the_commands_say(tmp_path: Path) -> None:
    assert not sessions.run(sessions.ROOT / "docs" / "labels.md", tmp_path)
