"""Pair weights: an algorithm of a few lines on tables of texts and numbers, for the promises of every algorithm."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Field, Metric

_TYPES = ("text/csv", "application/jsonlines")

ALGORITHM = Algorithm(
    name="pair-weights",
    title="Pair weights",
    summary="Adds up the weights of who was seen where.",
    problem="anomaly detection",
    source="none",
    channels=tuple(
        Channel(name=name, meaning=f"who was seen where in {name}", kind="table", content_types=_TYPES, required=first)
        for name, first in (("train", True), ("test", False))
    ),
    fields=(
        Field(name="entity", meaning="who"),
        Field(name="address", meaning="where"),
        Field(name="weight", meaning="how often", number=True),
    ),
    metrics=(
        Metric(name="train:weight", goal="maximize", meaning="weight of a row, mean of an epoch", epochs=True),
        Metric(name="test:score", goal="maximize", meaning="mean score of the test rows"),
    ),
    answer=Answer(
        kind="table",
        columns=(
            Column(name="score", meaning="logarithm of one and the weight of the pair"),
            Column(name="known", meaning="whether the entity was seen", number="int"),
        ),
        accepts=("text/csv", "application/json", "application/jsonlines"),
    ),
    log_name="Pair weights",
)
