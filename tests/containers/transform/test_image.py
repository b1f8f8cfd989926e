"""Transform by an image gives the bytes that it gives by the program here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algoport.containers.cli import main
from tests.containers.conftest import NAME


@pytest.mark.docker
def test_an_image_answers_as_the_program_here(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("rows.csv", np.random.default_rng(0).normal(size=(50, 3)), "%.4f", ",")
    settings = ["--hp", "k=2", "--hp", "feature_dim=3", "--output", "job"]
    assert main(["train", NAME, "--train", "rows.csv;text/csv;label_size=0", *settings]) == 0

    assert main(["transform", "job", "rows.csv", "--output", "here"]) == 0
    assert main(["transform", "job", "rows.csv", "--output", "there", "--image", image]) == 0

    here, there = ((tmp_path / where / "rows.csv.out").read_bytes() for where in ("here", "there"))
    assert here == there and here.count(b"\n") == 50
