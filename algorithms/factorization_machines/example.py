"""The smallest job: users who like some films and not others, one-hot; and others for each kind of label and row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows

USERS, FILMS = 12, 10
HYPERPARAMETERS: dict[str, object] = {
    "feature_dim": USERS + FILMS,
    "num_factors": 5,
    "predictor_type": "regressor",
    "mini_batch_size": 25,
    "epochs": 3,
    "factors_lr": 0.01,
    "factors_init_sigma": 0.1,
    "linear_lr": 0.02,
    "batch_metrics_publish_interval": 3,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 2000}, {"epochs": 150})]


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    return _split(_ratings(), _liking())


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """A classifier; sparse rows with values beside 1 and far keys; dense rows; enough of both for several threads."""
    random = np.random.default_rng(1)
    binary = {**HYPERPARAMETERS, "predictor_type": "binary_classifier", "epochs": 1}
    liked = (_liking() > 0).astype(np.float32)
    measures = random.normal(size=(240, 6)).astype(np.float32)
    sums = measures @ np.arange(6) + measures[:, 0] * measures[:, 1]
    far = sparse.random(2000, 1 << 21, 20 / (1 << 21), "csr", np.float32, random)
    many = random.normal(size=(1500, 40)).astype(np.float32)
    wide = {**HYPERPARAMETERS, "num_factors": 9, "epochs": 1, "mini_batch_size": 1000}
    return [
        (binary, _split(sparse.csr_array(_ratings()), liked)),
        ({**binary, "feature_dim": 6}, _split(measures, (sums > 0).astype(np.float32))),
        ({**HYPERPARAMETERS, "feature_dim": 6, "epochs": 1, "factors_init_method": "uniform", "factors_init_scale": 0.1,
          "bias_init_method": "constant", "bias_init_value": 0.5}, _split(measures, sums)),
        ({**wide, "feature_dim": 1 << 21}, _split(sparse.csr_array(far), random.normal(size=2000))),
        ({**wide, "feature_dim": 40}, _split(many, random.normal(size=1500))),
    ]  # fmt: skip


def _ratings() -> NDArray[np.float32]:
    """A row for each user and film, in no order."""
    user, film = np.divmod(np.random.default_rng(0).permutation(USERS * FILMS).repeat(2), FILMS)
    rows = np.zeros((len(user), USERS + FILMS), np.float32)
    rows[np.arange(len(user)), user] = 1
    rows[np.arange(len(user)), USERS + film] = 1
    return rows


def _liking() -> NDArray[np.float32]:
    """What each of these rows is rated: half of the users like what the others do not."""
    user, film = np.divmod(np.random.default_rng(0).permutation(USERS * FILMS).repeat(2), FILMS)
    noise = np.random.default_rng(2).normal(size=len(user))
    return np.asarray(np.where((user + film) % 2, 1, -1) + 0.1 * film + 0.1 * noise, np.float32)


def _split(features: NDArray[np.float32] | sparse.csr_array, label: NDArray[np.generic]) -> dict[str, Rows]:
    rows = Rows(features=features, label=label.astype(np.float32)[:, None])
    return {"train": rows[: len(rows) * 3 // 4], "test": rows[len(rows) * 3 // 4 :]}
