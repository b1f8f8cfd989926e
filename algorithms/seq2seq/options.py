"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, boolean, integer, text

MOST_BEAM = 100


class Options(Settings):
    """The options of one request."""

    attention_matrix: bool = boolean("answer also with the weights of attention", default=False)
    beam_size: int | None = integer(
        "hypotheses that beam search keeps; left out, as many as training was set to",
        default=None,
        low=1,
        high=MOST_BEAM,
    )
    exact: bool = boolean(
        "compute the scores of all words in float32, and not in 8 bits first where the processor is fast in these",
        default=False,
    )
    max_length: int | None = integer(
        "most tokens of the answer; left out, as many as lengths of the training pairs make likely",
        default=None,
        low=1,
        high=5000,
    )
    replace_unknown: bool = boolean(
        "put the source token that has most attention where <unk> is answered", default=False
    )
    accept: str = text("the content type of the answer", default="")
