"""Object2Vec: two encoders of pairs of token sequences, whose vectors are compared and classified or scored."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Field, Metric

_TYPES = ("application/jsonlines", "application/x-recordio-protobuf")
_ANSWERS = ("application/json", "application/jsonlines")


def _pairs(name: str, meaning: str, *, required: bool = False) -> Channel:
    return Channel(
        name=name,
        meaning=meaning,
        required=required,
        kind="sequences",
        content_types=_TYPES,
        default_content_type=_TYPES[0],
        labeled=True,
    )


def _metrics(channel: str, what: str, *, epochs: bool) -> tuple[Metric, ...]:
    return (
        Metric(
            name=f"{channel}:mean_squared_error",
            goal="minimize",
            meaning=f"mean square of the errors of the scores, {what}; of regression alone",
            epochs=epochs,
        ),
        Metric(
            name=f"{channel}:cross_entropy",
            goal="minimize",
            meaning=f"mean cross entropy, in nats, {what}; of classification alone",
            epochs=epochs,
        ),
        Metric(
            name=f"{channel}:accuracy",
            goal="maximize",
            meaning=f"share of the pairs whose class is the likeliest, {what}; of classification alone",
            kind="score",
            epochs=epochs,
        ),
    )


ALGORITHM = Algorithm(
    name="object2vec",
    title="Object2Vec",
    summary="Learns vectors of objects from pairs of them: two encoders turn sequences of tokens into vectors, which "
    "are compared and classified or scored.",
    problem="embedding of pairs",
    source="Conneau, Kiela, Schwenk, Barrault and Bordes, Supervised Learning of Universal Sentence Representations "
    "from Natural Language Inference Data, EMNLP 2017; Mikolov, Sutskever, Chen, Corrado and Dean, Distributed "
    "Representations of Words and Phrases and their Compositionality, NIPS 2013",
    channels=(
        _pairs("train", "the pairs to learn from, in0 and in1, each a list of tokens, with their label", required=True),
        _pairs(
            "validation",
            "pairs whose loss is reported after each epoch and says when training ends; the model is that of the best "
            "epoch",
        ),
        _pairs("test", "pairs whose loss by the finished model is reported"),
        Channel(
            name="auxiliary",
            meaning="pretrained token vectors, as GloVe writes them, and vocabularies, a JSON object from token to id "
            "each: the files that encN_pretrained_embedding_file and encN_vocab_file name",
            kind="file",
            content_types=("application/json", "text/plain"),
            default_content_type="application/json",
            distributions=("FullyReplicated",),
        ),
    ),
    fields=(
        Field(name="in0", meaning="the tokens that encoder 0 takes"),
        Field(name="in1", meaning="the tokens that encoder 1 takes"),
    ),
    metrics=(
        *_metrics("test", "by the finished model", epochs=False),
        *_metrics("validation", "after an epoch", epochs=True),
        *_metrics("train", "of an epoch, as they were met", epochs=True),
    ),
    answer=Answer(
        kind="sequences",
        columns=(
            Column(
                name="scores",
                meaning="of a pair: the probability of each class, or the score",
                optional=True,
            ),
            Column(name="embeddings", meaning="of in0 or in1 alone: the vector of its encoder", optional=True),
        ),
        accepts=_ANSWERS,
        responses=_ANSWERS,
    ),
    log_name="AWS/Object2Vec",
    gpu=True,
    environment=("INFERENCE_PREFERRED_MODE",),
)
