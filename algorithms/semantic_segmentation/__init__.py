"""Semantic Segmentation: gives every pixel of a picture a class, by a dilated residual network and a decoder."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_IMAGE, _FRAMES = "application/x-image", "application/x-recordio"


def _pictures(name: str, meaning: str, *, required: bool) -> Channel:
    return Channel(
        name=name,
        meaning=meaning,
        required=required,
        kind="masks",
        labeled=True,
        content_types=(_IMAGE, _FRAMES),  # the former is what image/jpeg and image/png are read as
        default_content_type=_IMAGE,
    )


def _annotations(name: str, of: str, meaning: str) -> Channel:
    return Channel(
        name=name,
        meaning=meaning,
        kind="masks",
        annotates=of,
        content_types=(_IMAGE,),
        default_content_type=_IMAGE,
    )


_FRAMED = (
    "An augmented manifest brings the masks in the same channel as the pictures, which the specification says too."
)

ALGORITHM = Algorithm(
    name="semantic-segmentation",
    title="Semantic Segmentation",
    summary="Learns which class each pixel of a picture belongs to, by a dilated residual network with a fully "
    "convolutional, pyramid or atrous decoder.",
    problem="semantic segmentation",
    source="Shelhamer, Long and Darrell, Fully Convolutional Networks for Semantic Segmentation, 2016; Zhao et al., "
    "Pyramid Scene Parsing Network, CVPR 2017; Chen et al., Rethinking Atrous Convolution for Semantic Image "
    "Segmentation, 2017; He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016",
    channels=(
        _pictures("train", "the pictures to learn from, each with a mask of its pixels' classes", required=True),
        _pictures(
            "validation", "pictures to evaluate each epoch by; the model is that of the best one", required=False
        ),
        _annotations(
            "train_annotation", "train", "the masks of the training pictures: a PNG file of the same name each"
        ),
        _annotations("validation_annotation", "validation", "the same of the validation pictures"),
        Channel(
            name="label_map",
            meaning="train_label_map.json and validation_label_map.json: which numbers of the masks are which classes",
            kind="file",
            content_types=("application/json", _IMAGE),
            default_content_type="application/json",
        ),
    ),
    metrics=(
        Metric(
            name="validation:mIOU",
            goal="maximize",
            meaning="mean over the classes of the intersection of true and predicted pixels over their union",
            epochs=True,
        ),
        Metric(
            name="validation:pixel_accuracy",
            goal="maximize",
            meaning="share of the labeled validation pixels whose class is predicted",
            epochs=True,
        ),
        Metric(
            name="train:loss",
            goal="minimize",
            meaning="cross-entropy of a labeled pixel, that of the auxiliary decoder added with its weight; mean over "
            "the epoch",
            epochs=True,
        ),
    ),
    answer=Answer(
        kind="masks",
        columns=(
            Column(name="mask", meaning="the class of each pixel, row by row", number="pixels"),
            Column(
                name="probabilities",
                meaning="of each class at each pixel: classes, height, width",
                number="json",
                optional=True,
            ),
        ),
        accepts=(_IMAGE,),
        default_accept=_IMAGE,
        responses=("image/png", "application/x-recordio-protobuf", "application/json", "application/x-npy"),
        default_response="image/png",
    ),
    log_name="AWS/Semantic Segmentation",
    gpu=True,
    reserved=("_aux_loss", "_aux_weight", "_logging_frequency"),
    quality_line="#quality_metric. host: {host}, {spelled}{channel} {metric}: {value} .",
    exceptions={
        "channel validation: required": "Beyond the original, which refuses to train without one; the model is "
        "the last epoch's then.",
        "channel train_annotation: required": _FRAMED,
        "channel validation_annotation: required": _FRAMED,
        "optimizer: tunable": "The documentation's table of tuning names adadelta, which its table of hyperparameters "
        "does not allow.",
        "width_multiplier: is not in the specification": "Beyond the original: narrower networks of the same layers, "
        "which train on processors in minutes.",
    },
)
