"""Object2Vec beside the same network in torch (`twin`): speed on real pairs, loss and accuracy, memory.

The twin has its pairs as lists in memory and pads them batch by batch; ours is a whole job on records in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from algoport.algorithms.shared import compiled
from benchmarks.measure import US, Case, Laps, Row, main, race

# As in the original's notebook on films.
FILMS: dict[str, Any] = {
    "enc0_network": "pooled_embedding", "enc0_vocab_size": 1682, "mlp_layers": 1, "mlp_dim": 256,
    "mlp_activation": "tanh", "mini_batch_size": 64, "learning_rate": 0.001, "output_layer": "mean_squared_error",
}  # fmt: skip
# Chosen by validation pairs: a factorization of ratings.
FACTORS: dict[str, Any] = {
    "enc0_network": "pooled_embedding", "enc0_vocab_size": 1682, "enc0_token_embedding_dim": 32, "mlp_layers": 0,
    "comparator_list": "hadamard,concat", "mini_batch_size": 512, "learning_rate": 0.005, "weight_decay": 0.00015,
    "output_layer": "mean_squared_error",
}  # fmt: skip
SMALL = {"hcnn": {"enc_dim": 512, "enc0_token_embedding_dim": 100}, "bilstm": {"enc_dim": 256,
         "enc0_token_embedding_dim": 100}, "pooled_embedding": {}}  # fmt: skip
SEEDS = (0, 1, 2)
WIDTHS = {"hcnn": "512 numbers", "bilstm": "2 x 128 cells", "pooled_embedding": "300 numbers"}


def records(part: Any) -> Any:
    """Pairs as a channel has them."""
    from algoport.algorithms.contract.ragged import Ragged
    from algoport.algorithms.contract.records.sequences import Sequences

    sides = {"in0": Ragged.of(part[0]), "in1": Ragged.of(part[1])}
    present = {name: np.ones(len(part[2]), np.bool_) for name in sides}
    return Sequences(sequences=sides, present=present, label=part[2][:, None])


def fit(given: dict[str, Any], train: Any, epochs: int, seed: int = 0) -> Any:
    """The whole job on records, of all epochs: without a validation channel it would end early only after five in which
    the loss of training does not fall by a millionth, and then there is an error here."""
    from algoport.algorithms.contract import Job, Memory, Reporter
    from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
    from algoport.algorithms.object2vec.train import fit

    never = {"early_stopping_patience": 5, "early_stopping_tolerance": 1e-6}
    settings = Hyperparameters.read({"enc0_max_seq_len": 5000, **never, **given, "epochs": epochs})
    done: list[Any] = []
    reporter = Reporter(report=lambda values, **place: done.append(place))
    model = fit(Job(hyperparameters=settings, channels={"train": Memory(train)}, seed=seed, reporter=reporter))
    if len(done) != epochs:
        raise RuntimeError(f"{len(done)} epochs of {epochs}")
    return model


def epoch_race(name: str, given: dict[str, Any], pairs: Callable[[], Any], goal: float, laps: int = 3) -> list[Row]:
    """An epoch of each, after one on a few pairs."""
    from benchmarks import object2vec_pairs, object2vec_twin

    part = pairs()
    whole, few = records(part), object2vec_pairs.some(part, 64)
    fit(given, records(few), 1)
    object2vec_twin.fit(given, few, 1)
    runs = {US: lambda: fit(given, whole, 1), "twin": lambda: object2vec_twin.fit(given, part, 1)}
    each = race(runs, laps=laps, warm=0)
    count = len(part[2])
    return [
        Row(
            case=f"an epoch, {name}", peer="twin", ours=each[US], peers=each["twin"], goal=goal,
            note=f"{count:,} pairs: {count / each[US].median:,.0f} a second.",
        )
    ]  # fmt: skip


def quality_race(name: str, given: dict[str, Any], parts: Callable[[], Any], epochs: int, slack: float) -> list[Row]:
    """The same number of epochs of each on the training and the validation pairs, by which the settings were chosen;
    the mean over the seeds of what the last epoch's network reaches on the test pairs. Each begins from first weights
    and takes the pairs in an order of its own."""
    from benchmarks import object2vec_pairs, object2vec_twin

    own = parts()
    train, test = object2vec_pairs.joined(own["train"], own["validation"]), own["test"]
    given = {**given, "enc0_vocab_size": own.get("vocabulary", given.get("enc0_vocab_size"))}
    regression = given.get("output_layer") == "mean_squared_error"
    whole, tested, reached = records(train), records(test), []
    seconds: dict[str, list[float]] = {US: [], "twin": []}
    for seed in SEEDS:
        runs = {
            US: partial(fit, given, whole, epochs, seed),
            "twin": partial(object2vec_twin.fit, given, train, epochs, seed),
        }
        each = race(runs, laps=1, warm=0)
        for who, laps in each.items():
            seconds[who] += laps.seconds
        figures = _figures(each[US].result, tested), object2vec_twin.figures(each["twin"].result, given, test)
        reached.append([loss if regression else right for loss, right in figures])
    (quality, peer), (low, high) = np.mean(reached, axis=0).tolist(), np.array(reached).T.tolist()
    figures_of = [" ".join(f"{value:.4f}" for value in values) for values in (low, high)]
    return [
        Row(
            case=f"training, {name}, {epochs} epochs", peer="twin", ours=Laps(seconds[US], None),
            peers=Laps(seconds["twin"], None), metric="mean squared error" if regression else "accuracy",
            better="lower" if regression else "higher", quality=quality, peer_quality=peer,
            quality_goal=(peer + slack) / peer if regression else (peer - slack) / peer,
            note=f"By seed: {figures_of[0]}; the twin's {figures_of[1]}."
            + (f" RMSE {quality**0.5:.4f} and {peer**0.5:.4f}." if regression else ""),
        )
    ]  # fmt: skip


def _figures(model: Any, some: Any) -> tuple[float, float]:
    from algoport.algorithms.object2vec import pairs

    own = model.losses(pairs.read(some, model.shape))
    return float(own.losses.mean()), float(own.right.mean())


def films() -> Any:
    """The ratings."""
    from benchmarks import object2vec_pairs

    return object2vec_pairs.ratings()


def titles() -> Any:
    """The titles and paragraphs."""
    from benchmarks import object2vec_pairs

    return object2vec_pairs.titles()


def _some(parts: Callable[[], Any], count: int) -> Any:
    from benchmarks import object2vec_pairs

    return object2vec_pairs.some(parts()["train"], count)


def _given(network: str, **more: Any) -> dict[str, Any]:
    return {"enc0_network": network, "enc0_vocab_size": 40_000, **more}


TITLES = "titles and paragraphs"
CASES = [
    Case("films, tokens", partial(epoch_race, "films, single tokens", FILMS, partial(_some, films, 72_000), 10.0)),
    *(
        Case(
            f"{TITLES}, {network}, small",
            partial(
                epoch_race, f"{TITLES}, {network} of {WIDTHS[network]}", _given(network, **SMALL[network]),
                partial(_some, titles, 960), 10.0 if network == "pooled_embedding" else 2.0,
            ),
        )
        for network in ("pooled_embedding", "hcnn", "bilstm")
    ),
    *(
        Case(
            f"{TITLES}, {network}, defaults",
            partial(
                epoch_race, f"{TITLES}, {network} with the defaults", _given(network), partial(_some, titles, 64), 2.0,
                laps,
            ),
        )
        for network, laps in (("hcnn", 2), ("bilstm", 1))
    ),
    Case("films, quality", partial(quality_race, "films, as factors", FACTORS, films, 12, 0.003)),
    Case("films, quality of the notebook's settings", partial(quality_race, "films", FILMS, films, 10, 0.003), False),
    Case(
        f"{TITLES}, quality",
        partial(quality_race, TITLES, _given("pooled_embedding", mlp_activation="relu", mini_batch_size=256,
                                             enc0_token_embedding_dim=100), titles, 4, 0.005),
        False,
    ),
]  # fmt: skip

if __name__ == "__main__":
    compiled.prepare()
    sys.exit(main("object2vec", CASES))
