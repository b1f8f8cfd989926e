"""How a model's files come into a folder."""

from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.shared import artifact
from algoport.training import artifacts


class Files:
    """A model of some files."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def save(self, folder: Path) -> None:
        for name in self.names:
            (folder / name).write_text(name)


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        (["boosted"], ["boosted-0", "boosted-1"]),
        (["boosted-0", "boosted-1", "boosted-2"], ["boosted-0", "boosted-1"]),
        (["boosted-0", "boosted-1"], ["boosted"]),
    ],
)
def test_parts_of_an_earlier_model_do_not_stay_among_those_of_another_number(tmp_path, earlier, now):
    (tmp_path / "words-of-mine.txt").touch()
    artifacts.write(Files(*earlier), tmp_path)

    artifacts.write(Files(*now), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [*now, "words-of-mine.txt"]


def test_a_model_replaces_one_and_leaves_no_traces_of_its_writing(tmp_path):
    class Model:
        def __init__(self, value: float) -> None:
            self.value = value

        def save(self, folder: Path) -> None:
            artifact.save(folder, {"x": np.array([self.value])}, {"value": self.value})

    artifacts.write(Model(1.0), tmp_path)
    artifacts.write(Model(2.0), tmp_path)

    assert artifact.load(tmp_path)[1]["value"] == 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == [artifact.FACTS, artifact.ARRAYS]
