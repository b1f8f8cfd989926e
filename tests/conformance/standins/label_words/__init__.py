"""Label words: an algorithm of a few lines on lines of text, for the promises of every algorithm."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TYPES = ("text/plain", "application/jsonlines", "application/x-recordio")
_JSON = ("application/json", "application/jsonlines")


def _channel(name: str, **more: object) -> Channel:
    return Channel(
        name=name,
        meaning=f"the lines of {name} with their labels",
        kind="lines",
        content_types=_TYPES,
        default_content_type=_TYPES[0],
        **more,  # type: ignore[arg-type]
    )


ALGORITHM = Algorithm(
    name="label-words",
    title="Label words",
    summary="Counts the words of each label, and finds the labels whose words a text has.",
    problem="text classification",
    source="none",
    channels=(_channel("train", required=True, labeled=True), _channel("validation", labeled=True)),
    metrics=(
        Metric(name="train:words", goal="maximize", meaning="labeled words of a line, mean of an epoch", epochs=True),
        Metric(name="validation:accuracy", goal="maximize", meaning="lines of which the first label is right"),
    ),
    answer=Answer(
        kind="lines",
        key="",
        columns=(
            Column(name="label", meaning="the most probable labels", number="json"),
            Column(name="prob", meaning="their probabilities"),
        ),
        accepts=_JSON,
        responses=_JSON,
    ),
    log_name="Label words",
)
