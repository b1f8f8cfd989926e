"""What training leaves: how many objects of each class there were, and the sums of their corners.    k classes"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision.orientation import upright_size


@dataclass(frozen=True, eq=False)
class Model:
    sums: Any  # (k, 5) float64
    width: None = None

    @property
    def means(self) -> Any:
        """The mean box (k, 4)."""
        return self.sums[:, 1:] / np.maximum(self.sums[:, :1], 1)

    def boxes(self) -> Any:
        """Class, share of the objects, and mean box (k, 6) of those classes that occurred, the most frequent first."""
        there = np.flatnonzero(self.sums[:, 0])
        there = there[np.argsort(-self.sums[there, 0], kind="stable")]
        share = self.sums[there, 0] / self.sums[:, 0].sum()
        return np.column_stack([there, share, self.means[there]]).astype(np.float32)

    def predict(self, records: Any, options: Any = None) -> dict[str, Any]:
        boxes = self.boxes()
        if options is None or not options.annotation:
            return {"prediction": [boxes] * len(records)}
        sizes = [_size(records, number) for number in range(len(records))]
        return {
            "image_size": [[{"width": width, "height": height, "depth": 3}] for height, width in sizes],
            "annotations": [[_pixels(box, height, width) for box in boxes] for height, width in sizes],
        }

    def sample(self) -> Boxes:
        return Boxes(encoded=[png(2, 3)])

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"sums": self.sums}, {"algorithm": "mean-boxes"})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        sums = arrays.get("sums")
        if facts.get("algorithm") != "mean-boxes" or sums is None or sums.ndim != 2 or sums.shape[1] != 5:
            raise UserError(f"{artifact.FACTS}: is no model of 'mean-boxes'.")
        if not np.isfinite(sums).all():
            raise UserError(f"{artifact.ARRAYS}: 'sums' must be finite.")
        return cls(sums.copy())


def _size(records: Any, number: int) -> tuple[int, int]:
    size = upright_size(records.encoded[number])
    if size is None:
        raise UserError(f"{records.place(number)}: its size cannot be read; the file is damaged.")
    return size


def _pixels(box: Any, height: int, width: int) -> dict[str, Any]:
    left, top, right, bottom = np.rint(box[2:] * [width, height, width, height]).astype(int).tolist()
    place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"class_id": int(box[0]), "score": float(box[1]), **place}
