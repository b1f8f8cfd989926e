"""docs/pipeline.md, and the page of the container that stands before others, run as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sessions

OWN = {"ALGORITHM_PATH": str(sessions.ROOT / "preprocessing"), "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}


@pytest.mark.parametrize("page", ["docs/pipeline.md", "preprocessing/column_transformer/README.md"])
def test_the_page_says_what_the_commands_say(page: str, tmp_path: Path) -> None:
    assert not sessions.run(sessions.ROOT / page, tmp_path, **OWN)
