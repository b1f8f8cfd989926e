"""What factorization machines are raced on, and the same machine in plain torch."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from benchmarks import data

MILLION = 1_000_000
FIELDS, ROWS = 39, 60_000  # of the wide data: as many entries a row as advertising logs have


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Rows to learn from and rows to judge by; one-hot, a number for each column in `keys`."""

    keys: Any  # (n, fields)
    labels: Any  # (n,)
    sizes: list[int]  # of each field
    train: int  # how many are to learn from

    @property
    def width(self) -> int:
        """How many features there are."""
        return sum(self.sizes)

    def rows(self, which: slice) -> Any:
        """As our rows."""
        import numpy as np
        from scipy import sparse

        from algoport.algorithms.contract.records import Rows

        keys = self.keys[which].astype(np.int32)
        ends = np.arange(0, keys.size + 1, keys.shape[1], dtype=np.int32)
        matrix = sparse.csr_array((np.ones(keys.size, np.float32), keys.ravel(), ends), shape=(len(keys), self.width))
        return Rows(features=matrix, label=self.labels[which, None])

    @property
    def learned(self) -> slice:
        """The rows to learn from."""
        return slice(0, self.train)

    @property
    def judged(self) -> slice:
        """The rows to judge by."""
        return slice(self.train, len(self.labels))


@cache
def films(liked: bool = False) -> Split:
    """MovieLens-100k, 80,000 ratings to learn from; `liked`: whether a rating is 4 at least."""
    import numpy as np

    user, film, rating = data.ratings()
    sizes = [int(user.max()) + 1, int(film.max()) + 1]
    labels = (rating >= 4).astype(np.float32) if liked else rating
    return Split(np.column_stack([user, film + sizes[0]]), labels, sizes, 80_000)


@cache
def letters() -> Split:
    """Letters by 16 measures of 16 values, and whether they stand in the first half of the alphabet."""
    import numpy as np

    measures, letter = data.letters()
    order = np.random.default_rng(0).permutation(len(letter))
    keys = measures.astype(np.int64)[order] + 16 * np.arange(16)
    return Split(keys, (letter[order] < 13).astype(np.float32), [16] * 16, 16_000)


@cache
def wide() -> Split:
    """Rows of 39 features, drawn evenly from a million."""
    import numpy as np

    random = np.random.default_rng(0)
    size = MILLION // FIELDS
    keys = random.integers(0, size, (ROWS, FIELDS)) + size * np.arange(FIELDS)
    return Split(keys, random.normal(size=ROWS).astype(np.float32), [size] * FIELDS, ROWS)


class Twin:
    """The same machine in plain torch: rows of keys, embedding tables, lazy Adam of the rows that a batch touches. It
    starts from the same distributions, and makes no weight decay, which torch's lazy Adam has none of."""

    def __init__(self, split: Split, settings: dict[str, object], *, logistic: bool, sparse: bool = True) -> None:
        import torch

        torch.manual_seed(0)
        k = int(str(settings["num_factors"]))
        self._batch, self._epochs = int(str(settings["mini_batch_size"])), int(str(settings["epochs"]))
        rate = {"factors_lr": 0.0001, "linear_lr": 0.001, "bias_lr": 0.1, "factors_init_sigma": 0.001, **settings}
        self._factors = torch.nn.Embedding(split.width, k, sparse=sparse)
        self._weights = torch.nn.Embedding(split.width, 1, sparse=sparse)
        self._bias = torch.nn.Parameter(torch.normal(0.0, 0.01, (1,)))
        torch.nn.init.normal_(self._factors.weight, 0, float(str(rate["factors_init_sigma"])))
        torch.nn.init.normal_(self._weights.weight, 0, 0.01)
        groups = [
            {"params": list(self._factors.parameters()), "lr": float(str(rate["factors_lr"]))},
            {"params": list(self._weights.parameters()), "lr": float(str(rate["linear_lr"]))},
        ]
        bias = {"params": [self._bias], "lr": float(str(rate["bias_lr"]))}
        adam = torch.optim.Adam
        self._optimizers = [torch.optim.SparseAdam(groups), adam([bias])] if sparse else [adam([*groups, bias])]
        self._loss = torch.nn.BCEWithLogitsLoss() if logistic else torch.nn.MSELoss()

    def scores(self, keys: Any) -> Any:
        """Of rows of keys."""
        v = self._factors(keys)
        pairs = v.sum(1).square() - v.square().sum(1)
        return self._bias + self._weights(keys).sum((1, 2)) + 0.5 * pairs.sum(1)

    def fit(self, split: Split) -> Twin:
        """All passes."""
        import torch

        keys, labels = torch.from_numpy(split.keys[split.learned]), torch.from_numpy(split.labels[split.learned])
        for _ in range(self._epochs):
            for first in range(0, len(labels), self._batch):
                for optimizer in self._optimizers:
                    optimizer.zero_grad()
                span = slice(first, first + self._batch)
                self._loss(self.scores(keys[span]), labels[span]).backward()
                for optimizer in self._optimizers:
                    optimizer.step()
        return self

    def predicted(self, split: Split) -> Any:
        """For the rows to judge by; of a classifier the log odds, which are in the same order."""
        import torch

        with torch.no_grad():
            return self.scores(torch.from_numpy(split.keys[split.judged])).numpy()
