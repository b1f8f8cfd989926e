"""LDA beside tomotopy, scikit-learn and gensim: from counts in memory to topics, and documents asked of them.

Quality is the log-likelihood a word of documents that were left out, by the same fold-in for all: half of each
document's words, drawn once, give its mixture by 100 steps of expectation maximization from the model's own prior; the
other half is scored. Counts of words are those of scikit-learn's CountVectorizer, without its English stop words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import texts
from benchmarks.measure import US, Case, Laps, Row, main, race

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
    mixtures, _ = kernels.infer(*counts.arrays, rows, prior, len(alpha), 100)
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


def as_texts(rows: Any) -> list[list[str]]:
    """Documents as tomotopy takes them: every word, by its number."""
    import numpy as np

    return [
        [str(word) for word in np.repeat(rows.indices[i:j], rows.data[i:j].astype(int))]
        for i, j in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]


def gibbs(name: str) -> Callable[[], Any]:
    """tomotopy's collapsed Gibbs sampling, on as many threads as there are cores; its documents are added before."""
    import tomotopy

    from algoport.algorithms.shared import machine

    rows, k = parts(name)[0], SETS[name][1]
    texts_ = as_texts(rows)
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


def gensim_fit(name: str) -> Callable[[], Any]:
    """gensim's online variational Bayes: ten passes, batches of 128 and steps as scikit-learn's; one process, as on two
    cores its several, which are started anew, take longer. Documents are made pairs before."""
    from gensim.models import LdaModel

    rows, k = parts(name)[0], SETS[name][1]
    pairs = [
        list(zip(rows.indices[i:j].tolist(), rows.data[i:j].astype(int).tolist(), strict=True))
        for i, j in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]
    words = {number: str(number) for number in range(rows.shape[1])}

    def run() -> Any:
        return LdaModel(
            pairs, num_topics=k, id2word=words, passes=10, chunksize=128, decay=0.7, offset=10, eval_every=None,
            random_state=0,
        )  # fmt: skip

    return run


def model_race(name: str, laps: int, goals: Mapping[str, float | None]) -> list[Row]:
    """Time to a model. Each peer's time is that of its own fit; what it must be given is made before."""
    import numpy as np

    words, k = parts(name)[0].shape[1], SETS[name][1]
    competitors: dict[str, Any] = {US: lambda: ours(name)}
    if "tomotopy" in goals:
        competitors["tomotopy"] = gibbs(name)
        competitors["tomotopy"].prepare(laps)
    if "scikit-learn" in goals:
        competitors["scikit-learn"] = lambda: variational(name)
    if "gensim" in goals:
        competitors["gensim"] = gensim_fit(name)
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
        elif peer == "gensim":
            theirs = quality(name, result.alpha, result.get_topics())
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
    """The mixtures of the documents that were left out, each peer by a model of its own and as it does by default:
    tomotopy by 100 passes of Gibbs sampling, the others until little changes."""
    import numpy as np

    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.shared import machine

    _, given, _ = parts(name)
    given = given[np.flatnonzero(np.diff(given.indptr))]
    model, online, sampler = ours(name), variational(name), gibbs(name)()
    known = set(sampler.used_vocabs)
    texts_ = [[word for word in text if word in known] or [sampler.used_vocabs[0]] for text in as_texts(given)]

    def sampled() -> Any:
        return sampler.infer([sampler.make_doc(text) for text in texts_], workers=machine.cores())

    done = race(
        {
            US: lambda: model.predict(Rows(features=given))["topic_mixture"],
            "tomotopy": sampled,
            "scikit-learn": lambda: online.transform(given),
        },
        laps=laps,
    )
    rates = {peer: given.shape[0] / laps_.median for peer, laps_ in done.items()}
    return [
        Row(
            case=f"mixtures of {given.shape[0]:,} documents, {name}",
            peer=peer,
            ours=done[US],
            peers=done[peer],
            note=f"{rates[US]:,.0f} documents a second; {peer} {rates[peer]:,.0f}.",
        )
        for peer in ("tomotopy", "scikit-learn")
    ]


def memory_of_a_stream(gigabytes: float = 4.0) -> list[Row]:
    """The most that a job takes whose four passes are so many bytes each, through pipes."""
    from benchmarks import memory

    words = 10_000
    given = {"num_topics": "20", "feature_dim": str(words), "mini_batch_size": "1"}
    job = memory.piped("lda", given, memory.MEDIA[0], memory.counts(words, 40_000), gigabytes, passes=4)
    lap = Laps([job.seconds], None)
    return [
        Row(
            case=f"memory, four passes of {gigabytes:g} GB of sparse documents through pipes, 20 topics",
            peer="1 GiB",
            ours=lap,
            peers=lap,
            metric="MiB at the most",
            better="lower",
            quality=job.peak / 2**20,
            peer_quality=memory.LIMIT / 2**20,
            quality_goal=1.0,
            note=f"{job.rows:,} documents a pass of {words:,} words, {4 * job.rows / job.seconds:,.0f} a second.",
        )
    ]


BOTH, GIBBS = {"tomotopy": 10.0, "scikit-learn": 20.0}, {"tomotopy": 10.0}
SMALL: dict[str, float | None] = {**BOTH, "gensim": None}
REUTERS, BBC, FINER, DEBIAN, FINEST = SETS
CASES = (
    Case(REUTERS, lambda: model_race(REUTERS, 3, SMALL)),
    Case(BBC, lambda: model_race(BBC, 3, SMALL)),
    Case(FINER, lambda: model_race(FINER, 3, GIBBS), promised=False),
    Case(DEBIAN, lambda: model_race(DEBIAN, 1, BOTH)),
    Case(FINEST, lambda: model_race(FINEST, 1, GIBBS), promised=False),
    Case(f"mixtures, {BBC}", lambda: inference_race(BBC), promised=False),
    Case("memory of a stream", memory_of_a_stream, promised=False),
)

if __name__ == "__main__":
    compiled.prepare()
    raise SystemExit(main("lda", CASES))
