"""What is particular to LDA: known topics recovered, the moments beside brute force, hosts, threads and bad input."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.lda import moments
from algoport.algorithms.lda.hyperparameters import Hyperparameters
from algoport.algorithms.shared.text.counts import Counts
from tests import data
from tests.algorithms.lda.jobs import bars, distances, documents, records, trained
from tests.groups import together


@pytest.mark.parametrize(("count", "refine"), [(500, True), (3000, False)])
def test_every_bar_is_recovered(count: int, refine: bool) -> None:
    """Each of ten topics to .1 in L1; they have but nine directions, as all lines together are all columns."""
    topics = bars()

    model = trained(documents(topics, count), num_topics=10, refine=refine)

    assert distances(model.beta, topics).max() <= 0.1
    np.testing.assert_allclose(model.beta.sum(axis=1), 1, atol=1e-5)
    assert model.alpha.sum() == pytest.approx(1, abs=1e-5)


def plain_moments(rows: Any, alpha0: float) -> tuple[Any, Any]:
    """The second and third moments, from every ordered pair and triple of different words of a document."""
    v = rows.shape[1]
    weights, first, pairs, triples = 0.0, np.zeros(v), np.zeros((v, v)), np.zeros((v, v, v))
    for row in rows.astype(int):
        words = np.repeat(np.arange(v), row)
        if len(words) < 3:
            continue
        weight = len(words) - 2
        weights += weight
        first += weight * row / len(words)
        for a, b in itertools.permutations(range(len(words)), 2):
            pairs[words[a], words[b]] += weight / (len(words) * (len(words) - 1))
        for a, b, c in itertools.permutations(range(len(words)), 3):
            share = weight / (len(words) * (len(words) - 1) * (len(words) - 2))
            triples[words[a], words[b], words[c]] += share
    first, pairs, triples = first / weights, pairs / weights, triples / weights
    second = pairs - alpha0 / (alpha0 + 1) * np.outer(first, first)
    mixed = np.einsum("ij,k->ijk", pairs, first)
    third = triples - alpha0 / (alpha0 + 2) * (mixed + mixed.transpose(0, 2, 1) + mixed.transpose(2, 0, 1))
    third += 2 * alpha0**2 / ((alpha0 + 1) * (alpha0 + 2)) * np.einsum("i,j,k->ijk", first, first, first)
    return second, third


@pytest.mark.parametrize("alpha0", [0.3, 1.0, 4.0])
def test_the_whitened_tensor_is_that_of_brute_force(alpha0: float) -> None:
    """On documents short enough to look at every triple of words, some with none or too few."""
    random = np.random.default_rng(1)
    rows = random.poisson(0.9, (40, 8)).astype(np.float32)
    rows[3], rows[4] = 0, np.eye(8)[2] * 2
    counts, along = Counts.of(records(rows)), moments.directions(8, 8, 0)
    sums = moments.first_sums(8, 8)
    moments.add_first(sums, along, counts)
    span = moments.basis(sums, along, alpha0)
    sums = moments.second_sums(8, 8)
    moments.add_second(sums, span, counts)

    whitened = moments.whitened(sums, span, alpha0, 3, 3)

    second, third = plain_moments(rows, alpha0)
    r = len(whitened.tensor)
    values, vectors = np.linalg.eigh(second)
    back = whitened.back.T @ np.linalg.pinv(second) @ whitened.back
    np.testing.assert_allclose(back, np.eye(r), atol=1e-4)  # so that it is U S^(1/2), turned
    whiten = np.linalg.pinv(second) @ whitened.back
    want = np.einsum("abc,ai,bj,ck->ijk", third, whiten, whiten, whiten)
    np.testing.assert_allclose(whitened.tensor, want, atol=2e-3 * abs(want).max())
    assert values[-1] > 0 and len(vectors) == 8


def test_threads_change_no_bit() -> None:
    rows = documents(bars(), 300)
    threads = numba.get_num_threads()
    models = []
    for count in sorted({1, threads}):
        numba.set_num_threads(count)
        models.append(trained(rows, num_topics=10))
    numba.set_num_threads(threads)

    assert all(np.array_equal(model.beta, models[0].beta) for model in models)
    assert all(np.array_equal(model.alpha, models[0].alpha) for model in models)


@pytest.mark.parametrize("refine", [True, False])
def test_hosts_find_the_topics_of_one(refine: bool) -> None:
    rows = documents(bars(), 601)

    shared = together(3, lambda group: trained(rows, group=group, num_topics=10, refine=refine))

    alone = trained(rows, num_topics=10, refine=refine)
    np.testing.assert_allclose(shared[0].beta, alone.beta, atol=1e-4)
    assert all(np.array_equal(model.beta, shared[0].beta) for model in shared)


def test_sparse_and_dense_documents_give_the_same_topics() -> None:
    rows = documents(bars(), 200)

    dense, thin = trained(rows, num_topics=10), trained(sparse.csr_array(rows), num_topics=10)

    np.testing.assert_allclose(thin.beta, dense.beta, atol=1e-6)


def test_refined_topics_make_documents_that_were_not_learned_from_more_probable() -> None:
    """On handwritten digits, whose pixels count as words."""
    rows = data.digits()[0]
    learned, others = rows[:1500], Counts.of(records(rows[1500:]))

    refined, pure = (trained(learned, num_topics=15, refine=refine) for refine in (True, False))

    assert refined.log_likelihood(others) > pure.log_likelihood(others)


def test_likelihood_is_about_that_of_scikit_learn() -> None:
    """Half of each document's words to find its mixture, and half to score it, by the same function for both."""
    from sklearn.decomposition import LatentDirichletAllocation

    rows = data.digits()[0]
    learned, others = rows[:1500], rows[1500:].astype(int)
    halves = np.random.default_rng(0).binomial(others, 0.5)
    theirs = LatentDirichletAllocation(10, random_state=0, max_iter=20).fit(learned)
    ours = trained(learned, num_topics=10)

    def score(beta: Any, alpha: Any) -> float:
        mixtures = np.tile(alpha, (len(halves), 1))
        for _ in range(100):
            mixtures = alpha + mixtures * ((halves / np.maximum(mixtures @ beta, 1e-30)) @ beta.T)
        mixtures /= mixtures.sum(axis=1, keepdims=True)
        rest = others - halves
        return float((rest * np.log(np.maximum(mixtures @ beta, 1e-10))).sum() / rest.sum())

    their_topics = theirs.components_ / theirs.components_.sum(axis=1, keepdims=True)
    assert score(ours.beta, ours.alpha) > 1.01 * score(their_topics, np.full(10, 0.1))


def test_incremental_training_remembers_earlier_documents() -> None:
    """Documents of two topics first and of two others later: all four are there in the end."""
    topics = np.kron(np.eye(4), np.full(5, 0.2))
    first = trained(documents(topics, 400), num_topics=4)

    further = trained(documents(topics[2:], 100, seed=1), num_topics=4, start=first)

    assert distances(further.beta, topics).max() < 0.1
    assert further.sizes.sum() == pytest.approx(50_000, rel=1e-3)


FAULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a negative count": ("document 3 has word 2, counted from 0, -2 times", lambda rows: rows.__setitem__((2, 2), -2)),
    "a count too large": ("from 0 to 1000000000 times", lambda rows: rows.__setitem__((2, 2), 1e10)),
    "no words": ("three words at least", lambda rows: rows.__imul__(0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_documents_that_cannot_be_learned_from_are_named(fault: str) -> None:
    sentence, spoil = FAULTS[fault]
    rows = documents(bars(), 30)
    spoil(rows)

    with pytest.raises(UserError) as caught:
        trained(rows, num_topics=3)

    assert sentence in str(caught.value), str(caught.value)


def test_odd_documents_are_counted_in_notes() -> None:
    rows = documents(bars(), 40)
    rows[0], rows[1], rows[2, 0] = 0, np.eye(25)[0] * 2, 0.5
    notes: list[str] = []

    trained(rows, num_topics=3, mini_batch_size=7, reporter=Reporter(note=notes.append))

    assert "1 documents have no words and are skipped" in notes
    assert any(note.startswith("1 documents have fewer than three words") for note in notes)
    assert any(note.startswith("1 documents have counts that are not whole numbers") for note in notes)
    assert "mini_batch_size says that there are 7 documents; there are 40, and that counts" in notes


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match=r"num_topics: must be at most feature_dim.* \(5\); it is 6"):
        Hyperparameters.read({"num_topics": 6, "feature_dim": 5, "mini_batch_size": 9})
    for alpha0 in ("0", "-1", "nan"):
        with pytest.raises(UserError, match="alpha0: must be a number above 0; it is"):
            Hyperparameters.read({"num_topics": 3, "feature_dim": 5, "mini_batch_size": 9, "alpha0": alpha0})


def test_a_start_of_other_sizes_and_one_without_refinement_are_refused() -> None:
    rows = documents(bars(), 50)
    start = trained(rows, num_topics=3)

    with pytest.raises(UserError, match="num_topics: must be that of the model to start from, 3; it is 4"):
        trained(rows, num_topics=4, start=start)
    with pytest.raises(UserError, match="refine: must be true where training starts from a model"):
        trained(rows, num_topics=3, refine=False, start=start)


def test_a_vocabulary_of_another_length_is_refused_before_training() -> None:
    files = {"auxiliary": Auxiliary.of("auxiliary", {"vocab.txt": b"a\nb\n"})}

    with pytest.raises(UserError, match=r"auxiliary/vocab.txt: must have 25 lines.*; it has 2"):
        trained(documents(bars(), 50), num_topics=3, files=files)


def test_topics_are_left_as_words() -> None:
    words = "".join(f"w{number}\n" for number in range(25)).encode()
    left: dict[str, Any] = {}
    files = {"auxiliary": Auxiliary.of("auxiliary", {"vocab.txt": words})}

    trained(documents(bars(), 500), num_topics=10, files=files, reporter=Reporter(keep=left.__setitem__))

    document = left["topics.json"]
    assert {frozenset(entry["word"] for entry in topic["words"][:5]) for topic in document["topics"]} == {
        frozenset(f"w{word}" for word in np.flatnonzero(topic)) for topic in bars()
    }
    assert sum(topic["share"] for topic in document["topics"]) == pytest.approx(1)
    assert list(left["topics.csv"]) == ["topic", "share", "npmi", "uniqueness", "words"]
    assert hasattr(left["topics.png"], "savefig")
