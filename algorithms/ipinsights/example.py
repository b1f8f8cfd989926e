"""The smallest job: people with a home network each, a few of whose names need quotes."""

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table

HYPERPARAMETERS: dict[str, object] = {
    "num_entity_vectors": 64,
    "vector_dim": 12,
    "epochs": 3,
    "learning_rate": 0.01,
    "mini_batch_size": 50,
    "batch_metrics_publish_interval": 2,
    "random_negative_sampling_rate": 2,
    "shuffled_negative_sampling_rate": 1,
}
# What requests can ask for beside the plain score.
CHOICES: list[dict[str, object]] = [{"verbose": True}]
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 600}, {"epochs": 60})]
_NAMES = ("alice", "Smith, John", 'the "boss"', "007", "日本", "bob", "carol", "dave")


def channels() -> dict[str, Table]:
    """A training and a validation channel."""
    return {"train": _table(180, 0), "validation": _table(60, 1)}


def others() -> list[tuple[dict[str, object], dict[str, Table]]]:
    """Encoders without hidden layers, and with three."""
    return [({**HYPERPARAMETERS, "num_ip_encoder_layers": layers}, channels()) for layers in (0, 3)]


def _table(count: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    who = random.integers(0, len(_NAMES), count)
    network = np.where(random.random(count) < 0.9, who, random.integers(0, len(_NAMES), count))
    last = random.integers(0, 256, count)
    return Table(
        columns=(
            Ragged.texts(_NAMES[number] for number in who),
            Ragged.texts(f"10.{7 * number}.{number}.{host}" for number, host in zip(network, last, strict=True)),
        )
    )
