"""Mask colors: an algorithm of a few lines on pictures with masks, for the promises of every algorithm."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_IMAGE, _FRAMES = "application/x-image", "application/x-recordio"

ALGORITHM = Algorithm(
    name="mask-colors",
    title="Mask colors",
    summary="Learns the mean color of each class, and gives every pixel the class whose color is nearest.",
    problem="semantic segmentation",
    source="none",
    channels=(
        Channel(
            name="train",
            meaning="pictures to learn from, each with a mask",
            kind="masks",
            required=True,
            labeled=True,
            content_types=(_FRAMES, _IMAGE),
            default_content_type=_FRAMES,
        ),
        Channel(
            name="train_annotation",
            meaning="the masks of the pictures that are a file each",
            kind="masks",
            annotates="train",
            content_types=(_IMAGE,),
            default_content_type=_IMAGE,
        ),
    ),
    metrics=(
        Metric(name="train:pixels", goal="maximize", meaning="pixels of a picture that are of a class", epochs=True),
    ),
    answer=Answer(
        kind="masks",
        columns=(
            Column(name="mask", meaning="the class of each pixel", number="pixels"),
            Column(name="frequency", meaning="the share of each class in the training pictures"),
            Column(name="probabilities", meaning="of each class, by rows and columns", number="json", optional=True),
        ),
        accepts=(_IMAGE,),
        default_accept=_IMAGE,
        responses=("image/png", "application/json", "application/x-recordio-protobuf", "application/x-npy"),
        default_response="image/png",
    ),
    log_name="Mask colors",
)
