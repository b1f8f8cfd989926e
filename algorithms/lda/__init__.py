"""Latent Dirichlet Allocation: topics of documents, which are counts of words."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric
from algoport.algorithms.contract.algorithm import REQUEST_ROWS

ALGORITHM = Algorithm(
    name="lda",
    title="Latent Dirichlet Allocation (LDA)",
    summary="Finds topics, distributions over the words of a vocabulary, in documents given as counts of words, by the "
    "method of moments in two streaming passes, and refines them.",
    problem="topic modelling",
    source="Anandkumar, Ge, Hsu, Kakade and Telgarsky, Tensor Decompositions for Learning Latent Variable Models, JMLR "
    "2014; Blei, Ng and Jordan, Latent Dirichlet Allocation, JMLR 2003; Asuncion, Welling, Smyth and Teh, On Smoothing "
    "and Inference for Topic Models, UAI 2009",
    channels=(
        Channel(
            name="train",
            meaning="the documents to learn from, how often each has each word of the vocabulary",
            required=True,
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
        Channel(
            name="test",
            meaning="documents to score the finished model with",
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
        Channel(
            name="auxiliary",
            meaning="vocab.txt, a word a line in the order of the columns, by which topics are named",
            kind="file",
            content_types=("text/plain",),
            default_content_type="text/plain",
        ),
    ),
    metrics=(
        Metric(
            name="test:pwll",
            goal="maximize",
            meaning="log-likelihood of the test documents' words under each document's own mixture, per word",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="topic_mixture", meaning="share of each topic in the document; they sum to 1"),
            Column(
                name="topics",
                meaning="where top_words asks for it, the document's topics of more than an even share, the largest "
                "first: number, share and most probable words of each",
                number="json",
                optional=True,
            ),
        ),
        accepts=(*REQUEST_ROWS, "text/plain"),
    ),
    log_name="LDA",
    exceptions={
        "refine: is not in the specification": "Beyond the original, whose method it leaves as it is where false; "
        "refined topics make documents that were not learned from more probable.",
    },
)
