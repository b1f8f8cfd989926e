"""The Neural Topic Model: from documents as word counts to topics, by a variational autoencoder."""

from algoport.algorithms.contract import CHANNEL_ROWS, Algorithm, Answer, Channel, Column, Metric
from algoport.algorithms.contract.algorithm import REQUEST_ROWS

ALGORITHM = Algorithm(
    name="ntm",
    title="Neural Topic Model (NTM)",
    summary="Learns topics from documents that are word counts, by a variational autoencoder, and says of a document "
    "which share of it each topic has.",
    problem="topic modelling",
    source="Miao, Yu and Blunsom, Neural Variational Inference for Text Processing, ICML 2016; Ding, Nallapati and "
    "Xiang, Coherence-Aware Neural Topic Modeling, EMNLP 2018; Srivastava and Sutton, Autoencoding Variational "
    "Inference for Topic Models, ICLR 2017",
    channels=(
        Channel(
            name="train",
            meaning="the documents to learn from: how often each word of the vocabulary stands in each",
            required=True,
            content_types=CHANNEL_ROWS,
        ),
        Channel(
            name="validation",
            meaning="documents whose loss is reported after each epoch and says when training ends; the model is that "
            "of the best epoch",
            content_types=CHANNEL_ROWS,
        ),
        Channel(
            name="test",
            meaning="documents whose loss by the finished model is reported",
            content_types=CHANNEL_ROWS,
        ),
        Channel(
            name="auxiliary",
            meaning="vocab.txt, the words of the vocabulary, one a line in the order of their numbers; beside it, one "
            "file of word vectors as GloVe writes them, by which topics are evaluated",
            kind="file",
            content_types=("text/plain",),
            default_content_type="text/plain",
        ),
    ),
    metrics=(
        Metric(
            name="validation:total_loss",
            goal="minimize",
            meaning="loss of a word of the validation documents, in nats: reconstruction and divergence",
            epochs=True,
        ),
        Metric(
            name="train:total_loss",
            goal="minimize",
            meaning="the same of the training documents of an epoch, as they were met",
            epochs=True,
        ),
        Metric(
            name="test:total_loss",
            goal="minimize",
            meaning="the same of the test documents, by the finished model",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="topic_weights", meaning="the share of each topic; together they are 1"),
            Column(
                name="topics",
                meaning="where top_words asks for it, the document's topics of more than an even share, the largest "
                "first: number, share and heaviest words of each",
                number="json",
                optional=True,
            ),
        ),
        accepts=(*REQUEST_ROWS, "text/plain"),
    ),
    log_name="AWS/NTM",
    gpu=True,
    exceptions={
        "dropout: is not in the specification": "Beyond the original, whose network has none; the default, 0, is that.",
    },
)
