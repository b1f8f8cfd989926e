"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, text

PROBABILITIES = "application/x-recordio-protobuf"  # answers of this type hold probabilities


class Options(Settings):
    """The options of one request."""

    accept: str = text("the content type of the answer; probabilities come in RecordIO alone", default="")
