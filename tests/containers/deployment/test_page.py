"""docs/deploy.md, run as it stands there."""

from __future__ import annotations

from pathlib import Path

from tests import sessions


def test_the_page_says_what_the_commands_say(tmp_path: Path) -> None:
    own = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "ALGOPORT_HOME": str(tmp_path / "home")}
    assert not sessions.run(sessions.ROOT / "docs/deploy.md", tmp_path, **own)
