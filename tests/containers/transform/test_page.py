"""docs/transform.md, run as it stands there."""

from __future__ import annotations

from pathlib import Path

from tests import sessions


def test_the_page_says_what_the_commands_say(tmp_path: Path) -> None:
    page = sessions.ROOT / "docs" / "transform.md"

    assert len(list(sessions.commands(page))) == 10
    assert not sessions.run(page, tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="1")
