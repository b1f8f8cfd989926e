"""Token pairs: an algorithm of a few lines on integer sequences, with a vocabulary beside them in a file of its own."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Field, Metric

_TYPES = ("application/x-recordio-protobuf", "application/jsonlines")


def _channel(name: str, **more: object) -> Channel:
    return Channel(
        name=name,
        meaning=f"the pairs of {name}",
        kind="sequences",
        content_types=_TYPES,
        default_content_type=_TYPES[0],
        **more,  # type: ignore[arg-type]
    )


ALGORITHM = Algorithm(
    name="token-pairs",
    title="Token pairs",
    summary="Counts which tokens come with which, and answers a sequence with those that came most.",
    problem="sequence transduction",
    source="none",
    channels=(
        _channel("train", required=True),
        _channel("validation"),
        Channel(
            name="vocab",
            meaning="vocab.json, an object from token to number",
            required=True,
            kind="file",
            content_types=("application/json",),
            default_content_type="application/json",
        ),
    ),
    fields=(
        Field(name="source", meaning="the tokens that are asked about"),
        Field(name="target", meaning="the tokens that come with them"),
    ),
    metrics=(
        Metric(name="train:tokens", goal="maximize", meaning="tokens of a pair, mean of an epoch", epochs=True),
        Metric(name="validation:accuracy", goal="maximize", meaning="source tokens that stand for their target"),
    ),
    answer=Answer(
        kind="sequences",
        columns=(
            Column(name="target", meaning="the token that came most with each of the source", number="int"),
            Column(name="seen", meaning="how often each of these came"),
        ),
        accepts=("application/json", "application/jsonlines", "application/x-recordio-protobuf"),
        responses=("application/json", "application/jsonlines", "application/x-recordio-protobuf"),
    ),
    log_name="Token pairs",
)
