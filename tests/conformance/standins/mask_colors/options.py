"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, text


class Options(Settings):
    accept: str = text("the type of the answer", default="")
