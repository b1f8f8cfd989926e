"""LDA beside tomotopy and scikit-learn: from counts in memory to topics, and documents asked of them.

Quality is the log-likelihood a word of documents that were left out, by the same fold-in for all: half of each
document's words, drawn once, give its mixture by 100 steps of expectation maximization from the model's own prior; the
other half is scored. Counts of words are those of scikit-learn's CountVectorizer, without its English stop words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks import texts
from benchmarks.measure import US, Case, Row, main, race

SETS: dict[str, tuple[Callable[[], Any], int]] = {
    "Reuters, 395 documents, 20 topics": (texts.reuters, 20),
    "BBC news, 2,225 documents, 20 topics": (texts.bbc, 20),
    "BBC news, 2,225 documents, 50 topics": (texts.bbc, 50),
    "Debian descriptions, 50 topics": (texts.debian, 50),
    "Debian descriptions, 100 topics": (texts.debian, 100),
}
PASSES = 100  # of Gibbs sampling


@cache
def parts(name: str) -> tuple[Any, Any, Any]:
    """Documents to learn from, and of every tenth, which is left out, the words to fold in and those to score."""
    import numpy as np
    from scipy import sparse

    whole = SETS[name][0]()
    random = np.random.default_rng(0)
    order = random.permutation(whole.shape[0])
    count = len(order) // 10
    asked = whole[order[:count]]
    halves = []
    first = random.binomial(asked.data.astype(int), 0.5).astype(np.float32)
    for values in (first, asked.data - first):
        half = sparse.csr_array((values, asked.indices.copy(), asked.indptr.copy()), shape=asked.shape)
        half.eliminate_zeros()
        halves.append(half)
    return sparse.csr_array(whole[order[count:]]), halves[0], halves[1]


def quality(name: str, alpha: Any, beta: Any) -> float:
    """The log-likelihood a word of the documents that were left out."""
    import numpy as np

    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.lda import kernels
    from algoport.algorithms.lda.topics import Topics, by_word
    from algoport.algorithms.shared.arrays import const
    from algoport.algorithms.shared.text.counts import Counts

    _, given, scored = parts(name)
    rows, prior = by_word(Topics(np.asarray(alpha, np.float32), np.asarray(beta, np.float32)))
    counts, rest = Counts.of(Rows(features=given)), Counts.of(Rows(features=scored))
    mixtures, ratios = np.empty((len(counts), rows.shape[1]), np.float32), np.empty(len(counts.words), np.float32)
    kernels.infer(counts.indptr, counts.words, counts.values, rows, prior, 100, np.float32(0), mixtures, ratios)
    mixtures /= mixtures.sum(axis=1, keepdims=True)
    sums = np.empty(len(rest))
    kernels.log_likelihoods(rest.indptr, rest.words, rest.values, rows, const(mixtures), 1e-12, sums)
    return float(sums.sum() / rest.lengths.sum())


def ours(name: str, **more: object) -> Any:
    """The model of the whole job, without a vocabulary."""
    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.lda.hyperparameters import Hyperparameters
    from algoport.algorithms.lda.train import fit

    rows = parts(name)[0]
    given = {"num_topics": SETS[name][1], "feature_dim": rows.shape[1], "mini_batch_size": rows.shape[0], **more}
    return fit(Job(hyperparameters=Hyperparameters.read(given), channels={"train": Memory(Rows(features=rows))}))


def gibbs(name: str) -> Callable[[], Any]:
    """tomotopy's collapsed Gibbs sampling, on as many threads as there are cores; its documents are added before."""
    import numpy as np
    import tomotopy

    from algoport.algorithms.shared import machine

    rows, k = parts(name)[0], SETS[name][1]
    texts_ = [
        [str(word) for word in np.repeat(rows.indices[i:j], rows.data[i:j].astype(int))]
        for i, j in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]
    ready: list[Any] = []

    def made() -> Any:
        model = tomotopy.LDAModel(k=k, seed=1)
        for text in texts_:
            model.add_doc(text)
        return model

    def run() -> Any:
        model = ready.pop() if ready else made()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.train(PASSES, workers=machine.cores(), parallel=tomotopy.ParallelScheme.PARTITION)
        return model

    run.prepare = lambda count: ready.extend(made() for _ in range(count))  # type: ignore[attr-defined]
    return run


def gibbs_topics(model: Any, words: int) -> tuple[Any, Any]:
    """The prior and the topics of tomotopy's model; words that it has never seen are hardly possible."""
    import numpy as np

    beta = np.full((model.k, words), 1e-12)
    columns = [int(word) for word in model.used_vocabs]
    for topic in range(model.k):
        beta[topic, columns] = model.get_topic_word_dist(topic)
    return np.asarray(model.alpha), beta


def variational(name: str) -> Any:
    """scikit-learn's online variational Bayes, at its defaults but for the method: ten passes, batches of 128."""
    from sklearn.decomposition import LatentDirichletAllocation

    return LatentDirichletAllocation(SETS[name][1], learning_method="online", random_state=0, n_jobs=None).fit(
        parts(name)[0]
    )


def model_race(name: str, laps: int, goals: dict[str, float]) -> list[Row]:
    """Time to a model. Each peer's time is that of its own fit; what it must be given is made before."""
    import numpy as np

    words, k = parts(name)[0].shape[1], SETS[name][1]
    competitors: dict[str, Any] = {US: lambda: ours(name)}
    if "tomotopy" in goals:
        competitors["tomotopy"] = gibbs(name)
        competitors["tomotopy"].prepare(laps)
    if "scikit-learn" in goals:
        competitors["scikit-learn"] = lambda: variational(name)
    ours(name)  # compiles; a warm round of the peers would take longer than all laps of ours
    done = race(competitors, laps=laps, warm=0)
    model = done[US].result
    mine = quality(name, model.alpha, model.beta)
    pure = ours(name, refine=False)
    note = f"Without refinement: {quality(name, pure.alpha, pure.beta):.4f} a word."
    rows = []
    for peer, goal in goals.items():
        result = done[peer].result
        if peer == "tomotopy":
            theirs = quality(name, *gibbs_topics(result, words))
        else:
            topics = result.components_ / result.components_.sum(axis=1, keepdims=True)
            theirs = quality(name, np.full(k, 1 / k), topics)
        rows.append(
            Row(
                case=name,
                peer=peer,
                ours=done[US],
                peers=done[peer],
                goal=goal,
                metric="log-likelihood a word of documents left out",
                better="higher",
                quality=mine,
                peer_quality=theirs,
                quality_goal=1.02,  # of a negative figure: 2 % below the peer's
                note=note,
            )
        )
    return rows


def inference_race(name: str, laps: int = 3) -> list[Row]:
    """The mixtures of the documents that were left out, each peer by a model of its own."""
    from algoport.algorithms.contract.records import Rows

    _, given, _ = parts(name)
    model, theirs = ours(name), variational(name)
    done = race(
        {
            US: lambda: model.predict(Rows(features=given))["topic_mixture"],
            "scikit-learn": lambda: theirs.transform(given),
        },
        laps=laps,
    )
    each = given.shape[0] / done[US].median
    return [
        Row(
            case=f"mixtures of {given.shape[0]:,} documents, {name}",
            peer="scikit-learn",
            ours=done[US],
            peers=done["scikit-learn"],
            note=f"{each:,.0f} documents a second.",
        )
    ]


BOTH, GIBBS = {"tomotopy": 10.0, "scikit-learn": 20.0}, {"tomotopy": 10.0}
REUTERS, BBC, FINER, DEBIAN, FINEST = SETS
CASES = (
    Case(REUTERS, lambda: model_race(REUTERS, 3, BOTH)),
    Case(BBC, lambda: model_race(BBC, 3, BOTH)),
    Case(FINER, lambda: model_race(FINER, 3, GIBBS), promised=False),
    Case(DEBIAN, lambda: model_race(DEBIAN, 1, BOTH)),
    Case(FINEST, lambda: model_race(FINEST, 1, GIBBS), promised=False),
    Case(f"mixtures, {BBC}", lambda: inference_race(BBC), promised=False),
)

if __name__ == "__main__":
    raise SystemExit(main("lda", CASES))
