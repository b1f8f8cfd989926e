"""Mean boxes: an algorithm of a few lines on pictures with boxes, for the promises of every algorithm."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TYPES = ("application/x-recordio", "application/x-image")


def _channel(name: str, **more: object) -> Channel:
    return Channel(
        name=name,
        meaning=f"the pictures of {name} with their boxes",
        kind="boxes",
        content_types=_TYPES if not {"lists", "annotates"} & set(more) else _TYPES[1:],
        default_content_type=_TYPES[0] if not {"lists", "annotates"} & set(more) else _TYPES[1],
        **more,  # type: ignore[arg-type]
    )


ALGORITHM = Algorithm(
    name="mean-boxes",
    title="Mean boxes",
    summary="Learns the mean box of each class, and finds every class there in any picture.",
    problem="object detection",
    source="none",
    channels=(
        _channel("train", required=True, labeled=True),
        _channel("validation", labeled=True),
        _channel("train_annotation", annotates="train"),
        _channel("validation_annotation", annotates="validation"),
        _channel("train_lst", lists="train"),
    ),
    metrics=(
        Metric(name="train:objects", goal="maximize", meaning="objects of a picture, mean of an epoch", epochs=True),
        Metric(name="validation:distance", goal="minimize", meaning="mean distance of a corner from the mean one"),
    ),
    answer=Answer(
        kind="boxes",
        columns=(
            Column(name="prediction", meaning="class, score, xmin, ymin, xmax, ymax of each box", optional=True),
            Column(name="image_size", meaning="height and width in pixels", number="json", optional=True),
            Column(name="annotations", meaning="class, score and pixels of each box", number="json", optional=True),
        ),
        accepts=("application/x-image",),
        default_accept="application/x-image",
        responses=("application/json", "application/jsonlines", "application/x-npy"),
    ),
    log_name="Mean boxes",
)
