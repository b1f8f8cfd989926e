"""Sums of rows: an algorithm whose answers are known, with every kind of column, and with options."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column

ALGORITHM = Algorithm(
    name="sums",
    title="Sums",
    summary="Adds up the numbers of a row.",
    problem="arithmetic",
    source="none",
    channels=(Channel(name="train", meaning="rows", content_types=("text/csv",), default_content_type="text/csv"),),
    metrics=(),
    answer=Answer(
        columns=(
            Column(name="sum", meaning="of the row"),
            Column(name="positive", meaning="how many numbers are above zero", number="int"),
            Column(name="doubled", meaning="the row, twice"),
            Column(name="above", meaning="the numbers above zero"),
        ),
        key="sums",
        accepts=("text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf"),
        default_accept=None,
        responses=("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv"),
    ),
    log_name="Sums",
    environment=("SUMS_SCALE",),
)
