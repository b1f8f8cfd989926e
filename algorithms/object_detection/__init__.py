"""Object Detection: from pictures to classes and boxes of the objects in them, by a single-shot detector (SSD)."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TYPES = ("application/x-recordio", "application/x-image")  # the latter is what image/jpeg and image/png are read as

ALGORITHM = Algorithm(
    name="object-detection",
    title="Object Detection",
    summary="Learns to find objects of several classes in pictures, each with its box, by a single-shot detector on a "
    "VGG-16 or ResNet-50 base, trained from the start or from an earlier model.",
    problem="object detection",
    source="Liu, Anguelov, Erhan, Szegedy, Reed, Fu and Berg, SSD: Single Shot MultiBox Detector, ECCV 2016",
    channels=(
        Channel(
            name="train",
            meaning="the pictures to learn from, with the class and box of each object",
            required=True,
            kind="boxes",
            content_types=_TYPES,
            default_content_type="application/x-recordio",
            labeled=True,
        ),
        Channel(
            name="validation",
            meaning="pictures to evaluate each epoch by; the model is that of the best one",
            kind="boxes",
            content_types=_TYPES,
            default_content_type="application/x-recordio",
            labeled=True,
        ),
        Channel(
            name="train_annotation",
            meaning="the objects of the training pictures where each is a file: a JSON file for each of them",
            kind="boxes",
            annotates="train",
            content_types=("application/x-image",),
            default_content_type="application/x-image",
        ),
        Channel(
            name="validation_annotation",
            meaning="the same of the validation pictures",
            kind="boxes",
            annotates="validation",
            content_types=("application/x-image",),
            default_content_type="application/x-image",
        ),
    ),
    metrics=(
        Metric(
            name="validation:mAP",
            goal="maximize",
            kind="score",
            meaning="mean over the classes of the average precision on the validation pictures",
            epochs=True,
            batches=False,
        ),
        Metric(
            name="train:cross_entropy",
            goal="minimize",
            meaning="class loss of an anchor that was learned from, mean of the epoch",
            epochs=True,
            batches=True,
        ),
        Metric(
            name="train:smooth_l1",
            goal="minimize",
            meaning="loss of an offset of an anchor that has an object, mean of the epoch",
            epochs=True,
            batches=True,
        ),
    ),
    answer=Answer(
        kind="boxes",
        columns=(
            Column(
                name="prediction",
                meaning="class, score, xmin, ymin, xmax, ymax of each object, the surest first; corners in fractions "
                "of width and height",
                optional=True,
            ),
            Column(name="image_size", meaning="width, height and depth in pixels", number="json", optional=True),
            Column(
                name="annotations",
                meaning="class_id, score, and left, top, width and height in pixels of each object",
                number="json",
                optional=True,
            ),
        ),
        key="",
        accepts=("application/x-image",),
        default_accept="application/x-image",
        responses=("application/json", "application/jsonlines"),
        default_response="application/json",
    ),
    log_name="AWS/Object Detection",
    gpu=True,
    quality_line="#quality_metric: host={host}, {epoch}{Batch}{channel} {metric} <{kind}>=({value})",
    exceptions={
        "channel validation: required": "Beyond the original, which refuses to train without one; the model is "
        "the last epoch's then.",
        "width_multiplier: is not in the specification": "Beyond the original: half of the filters take about a "
        "quarter of the multiplications, which suits processors.",
        "precision_dtype: is not in the specification": "Beyond the original: as image classification and semantic "
        "segmentation have it, bfloat16 products where the processor has them.",
        "momentum: min": "The original's tuner searches from 0 on, and so 0 is accepted.",
        "weight_decay: min": "The original's tuner searches from 0 on, and so 0 is accepted.",
        "kv_store: values": "The container's own default, device, is accepted where a client sends it along.",
        "metric train:progress: is not declared": "The platform reports progress of every job in lines of its own.",
        "metric train:throughput: is not declared": "The platform reports throughput of every job in lines of its own.",
    },
)
