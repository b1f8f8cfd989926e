"""Topics of news as words."""

from benchmarks import data, texts
from benchmarks.pictures import fit, rows
from benchmarks.pictures.ntm import topics


def draw(figure):
    from algoport.algorithms.contract.records import Rows

    counts = texts.reuters()
    words = (data.package("lda") / "tests/reuters.tokens").read_text().split()
    model = fit(
        "lda", {"train": Rows(features=counts)}, num_topics=10, feature_dim=counts.shape[1],
        mini_batch_size=counts.shape[0],
    )  # fmt: skip
    topics(figure, model.beta, words, model.predict(rows(counts.toarray()))["topic_mixture"].mean(axis=0))
    figure.suptitle("395 news (Reuters): six of ten topics, by the probability of their words", fontsize=9)
