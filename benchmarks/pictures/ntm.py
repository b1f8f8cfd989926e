"""Topics of package descriptions as words."""

import numpy as np

from benchmarks import texts
from benchmarks.pictures import COLORS, fit

SHOWN, TOPICS = 6, 20


def topics(figure, weights, words, shares):
    """The largest topics, a panel each, with their eight heaviest words."""
    order = np.argsort(-np.asarray(shares), kind="stable")[:SHOWN]
    for number, (panel, topic) in enumerate(zip(figure.subplots(2, SHOWN // 2).flat, order, strict=True)):
        top = np.argsort(-weights[topic], kind="stable")[:8][::-1]
        panel.barh(range(8), weights[topic][top], color=COLORS[number])
        panel.set_yticks(range(8), [words[column] for column in top], fontsize=7)
        panel.tick_params(axis="x", labelsize=6)


def draw(figure):
    from sklearn.feature_extraction.text import CountVectorizer

    from algoport.algorithms.contract.records import Rows

    counter = CountVectorizer(max_features=5000, max_df=0.2, stop_words="english", token_pattern=texts.TOKEN)
    counts = counter.fit_transform(texts.debian_texts()[::3]).astype(np.float32).tocsr()
    counts = counts[np.flatnonzero(np.diff(counts.indptr) > 5)]
    counts.sort_indices()
    model = fit(
        "ntm", {"train": Rows(features=counts)}, num_topics=TOPICS, feature_dim=counts.shape[1], batch_norm="true",
        epochs=20, mini_batch_size=256,
    )  # fmt: skip
    shares = model.predict(Rows(features=counts[:2000]))["topic_weights"].mean(axis=0)
    topics(figure, model.topics, counter.get_feature_names_out(), shares)
    figure.suptitle(
        f"{counts.shape[0]:,} descriptions of Debian's packages: six of {TOPICS} topics, by their words' weights",
        fontsize=9,
    )
