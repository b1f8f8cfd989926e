"""BlazingText: word vectors, and classes of texts."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TYPES = ("text/plain", "application/jsonlines", "application/x-recordio")
_JSON = ("application/json", "application/jsonlines")

ALGORITHM = Algorithm(
    name="blazingtext",
    title="BlazingText",
    summary="Learns vectors of words from plain text (Word2Vec, with subwords where asked), or to classify lines of "
    "text by their words and word n-grams, in files that fastText reads.",
    problem="word embeddings and text classification",
    source="Mikolov et al., Distributed Representations of Words and Phrases and their Compositionality, NIPS 2013; Ji "
    "et al., Parallelizing Word2Vec in Shared and Distributed Memory, 2016; Bojanowski et al., Enriching Word Vectors "
    "with Subword Information, 2016; Joulin et al., Bag of Tricks for Efficient Text Classification, 2016",
    channels=(
        Channel(
            name="train",
            meaning="the text to learn from, a sentence a line, words with blanks between them; for classes, each line "
            "with its labels, words that begin with __label__",
            required=True,
            kind="lines",
            content_types=_TYPES,
            default_content_type="text/plain",
            single_pass=True,
        ),
        Channel(
            name="validation",
            meaning="lines with labels to measure the accuracy on, and to stop early by",
            kind="lines",
            content_types=_TYPES,
            default_content_type="text/plain",
            single_pass=True,
        ),
        Channel(
            name="evaluation",
            meaning="files of word pairs with the similarity that people gave them, as WS-353's: two words and a "
            "number a line",
            kind="file",
            content_types=("text/plain",),
            default_content_type="text/plain",
        ),
    ),
    metrics=(
        Metric(
            name="train:mean_rho",
            goal="maximize",
            meaning="mean over the files of word pairs of Spearman's correlation of cosine similarity and human score",
            written="mean_rho",
        ),
        Metric(
            name="train:accuracy",
            goal="maximize",
            meaning="share of the training lines whose most probable label is one of theirs",
            written="train_accuracy",
        ),
        Metric(
            name="validation:accuracy",
            goal="maximize",
            meaning="share of the validation lines whose most probable label is one of theirs",
            written="validation_accuracy",
        ),
    ),
    answer=Answer(
        kind="lines",
        key="",
        columns=(
            Column(name="label", meaning="the most probable labels", number="json", optional=True),
            Column(name="prob", meaning="their probabilities, falling", optional=True),
            Column(name="word", meaning="the word asked about", number="json", optional=True),
            Column(name="vector", meaning="its vector; zeros where it is not known", optional=True),
        ),
        accepts=(*_JSON, "text/plain"),
        responses=_JSON,
        alike=True,
    ),
    log_name="AWS/BlazingText",
    gpu=True,
    quality_line="#{metric}: {value:.6g}",
    exceptions={
        "deterministic: is not in the specification": "an addition: one thread changes the tables, and the same seed "
        "gives the same model on any number of threads and hosts; without it threads change them without locks",
        "a body that cannot be read is a 4xx that says so": "any line of UTF-8 is plain text, and answered",
    },
)
