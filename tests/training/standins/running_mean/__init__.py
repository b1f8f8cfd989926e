"""The mean of the rows: the smallest thing that can be trained, with every way to go wrong on demand."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TABLES = ("text/csv", "application/x-recordio-protobuf", "application/x-npy")

ALGORITHM = Algorithm(
    name="running-mean",
    title="Running mean",
    summary="The mean of all rows.",
    problem="regression",
    source="Welford 1962",
    channels=(
        Channel(
            name="train",
            meaning="the rows to average",
            required=True,
            content_types=_TABLES,
            default_content_type="text/csv",
        ),
        Channel(name="test", meaning="rows to compare", content_types=_TABLES, default_content_type="text/csv"),
    ),
    metrics=(
        Metric(name="train:norm", goal="minimize", meaning="length of the mean", kind="score"),
        Metric(name="test:gap", goal="minimize", meaning="distance to the mean of the test rows"),
    ),
    answer=Answer(columns=(Column(name="mean", meaning="the mean"),), accepts=_TABLES, responses=("text/csv",)),
    log_name="Test/RunningMean",
)
