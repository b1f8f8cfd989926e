"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, boolean, integer, real


class Options(Settings):
    """The options of one request."""

    annotation: int = integer(
        "1: answer in pixels of the picture, as labeling tools write annotations", default=0, low=0, high=1
    )
    threshold: float = real(
        "score that a detection has at least", default=0.01, low=0, high=1, aliases=("OBJECT_DETECTION_THRESHOLD",)
    )
    nms_threshold: float | None = real(
        "overlap (IoU) beyond which the weaker of two boxes is dropped; unset: as in training",
        default=None,
        above=0,
        high=1,
    )
    force_suppress: bool = boolean("whether it is dropped where the other is of another class, too", default=False)
