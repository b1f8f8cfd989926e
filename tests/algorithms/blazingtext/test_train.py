"""What jobs learn, say and refuse; hosts, resumption, and quality on a real text."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from algoport.algorithms.blazingtext import corpus
from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.blazingtext.options import Options
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.training import formats
from algoport.training.formats.layout import Layout
from tests import data
from tests.algorithms.blazingtext.jobs import CLASSES, NEWS, SPORT, VECTORS, cosine, lines, right, trained
from tests.groups import together

MODES = ["batch_skipgram", "skipgram", "cbow"]


def test_two_subjects_are_told_apart() -> None:
    assert right(trained(lines(), **CLASSES), lines(40, 1)) == 1


@pytest.mark.parametrize("mode", MODES)
def test_words_of_one_subject_come_to_lie_together(mode: str) -> None:
    model = trained(lines(400, labels=False), mode=mode, epochs=10, **VECTORS)

    same = [cosine(model, *pair) for words in (SPORT, NEWS) for pair in pairwise(words)]
    across = [cosine(model, *pair) for pair in zip(SPORT, NEWS, strict=True)]
    assert min(same) > max(across), (same, across)


def test_a_line_of_several_labels_is_learned_as_all_of_them() -> None:
    """Each visit takes one of its labels, so that both get about half of the probability."""
    both = Lines(
        text=Ragged.texts(["a b c d e f"] * 60 + ["x y z"] * 60), label=Ragged.texts(["p q"] * 60 + ["r"] * 60)
    )

    model = trained(both, epochs=20, **CLASSES)

    answer = model.predict(Lines(text=Ragged.texts(["a b c d e f"])), Options(k=2))
    assert sorted(answer["label"][0]) == ["__label__p", "__label__q"]
    np.testing.assert_allclose(answer["prob"][0], 0.5, atol=0.2)


def test_word_order_is_seen_by_word_ngrams_alone() -> None:
    texts = ["yes no", "no yes"] * 50
    rows = Lines(text=Ragged.texts(texts), label=Ragged.texts(["first", "second"] * 50))

    assert right(trained(rows, epochs=20, word_ngrams=2, **CLASSES), rows) == 1
    assert right(trained(rows, epochs=20, word_ngrams=1, **CLASSES), rows) == 0.5


def test_k_is_that_of_the_request_or_of_the_line() -> None:
    model = trained(lines(), **CLASSES)
    asked = Lines(text=Ragged.texts(["Tor", "vote", "the"]), configuration=[{"k": 1}, None, {"k": 9}])

    got = model.predict(asked, Options(k=2))

    assert [len(each) for each in got["label"]] == [len(each) for each in got["prob"]] == [1, 2, 2]
    assert all((np.diff(each) <= 0).all() for each in got["prob"])
    with pytest.raises(UserError, match="k: must be"):
        model.predict(Lines(text=Ragged.texts(["Tor"]), configuration=[{"k": 0}]))


def test_an_unknown_word_is_zeros_or_its_subwords() -> None:
    asked = Lines(text=Ragged.texts(["unbekannt", "Tor"]))

    without, spelled = (trained(lines(labels=False), mode="cbow", subwords=each, **VECTORS) for each in (False, True))

    assert not without.predict(asked)["vector"][0].any() and without.predict(asked)["vector"][1].any()
    assert spelled.predict(asked)["vector"][0].any()
    assert spelled.predict(asked)["word"] == ["unbekannt", "Tor"]


def test_vectors_are_scored_on_word_pairs(tmp_path: Path) -> None:
    """By those that are known, as they stand or in small letters; a first line may name the columns."""
    pairs = [
        ("Tor", "Ball", 9.0),
        ("Tor", "Wahl", 1.5),
        ("says", "VOTE", 7.0),
        ("vote", "goal", 2.0),
        ("Tor", "nie", 5),
    ]
    text = "Word 1\tWord 2\tHuman\n" + "".join(f"{one}\t{other}\t{human}\n" for one, other, human in pairs)
    reports: dict[str, float] = {}
    notes: list[str] = []

    model = trained(lines(labels=False), mode="cbow", pairs=text.encode(), notes=notes, reports=reports, **VECTORS)

    scores = [cosine(model, one, other.lower() if other == "VOTE" else other) for one, other, _ in pairs[:4]]
    rho = spearmanr(scores, [human for *_, human in pairs[:4]]).statistic
    model.save(tmp_path)
    facts = json.loads((tmp_path / "eval.json").read_text())
    assert facts["PAIRS.txt"] == {"not_found": 1, "spearmans_rho": pytest.approx(rho), "total_pairs": 5}
    assert facts["mean_rho"] == reports["train:mean_rho"] == pytest.approx(rho)
    assert "Evaluating word embeddings...." in notes and "Vectors read from: /opt/ml/model/vectors.txt " in notes


def test_the_log_has_the_lines_of_the_original() -> None:
    notes: list[str] = []
    reports: dict[str, float] = {}

    trained(
        lines(), validation=lines(20, 1), notes=notes, reports=reports, early_stopping=True, min_epochs=2, **CLASSES
    )

    for pattern in (
        r"Running single machine CPU BlazingText training using supervised mode\.",
        r"Processing \S+ \. File size: 0 MB",
        r"Read 0M words",
        r"Number of words:  14",  # and the end of a line, as in fastText
        r"-------------- End of epoch: 2",
        r"Using \d+ threads for prediction!",
        r"Validation accuracy: 1",
        r"Validation accuracy improved! Storing best weights\.\.\.",
        r"##### Alpha: 0\.0000  Progress: 100\.00%  Million Words/sec: \d+\.\d\d #####",
        r"Training finished\.",
        r"Average throughput in Million words/sec: \d+\.\d\d",
        r"Total training time in seconds: \d+\.\d\d",
        r"Number of train examples: 90",
        r"Number of validation examples: 20",
    ):
        assert any(re.fullmatch(pattern, note) for note in notes), (pattern, notes)
    assert not any("End of epoch: 1" in note for note in notes)
    assert reports == {"train:accuracy": 1, "validation:accuracy": 1}


def test_the_log_of_several_hosts_says_so() -> None:
    notes: list[str] = []

    trained(lines(labels=False), mode="batch_skipgram", hosts=2, notes=notes, **VECTORS)

    assert notes[0] == "Running distributed CPU BlazingText training using batch_skipgram on 2 hosts."


def test_training_stops_early_and_keeps_the_best_weights() -> None:
    """With labels turned over in validation, more training is worse: what counts is the first epoch that counts."""
    notes: list[str] = []
    wrong = Lines(text=lines(40, 1).text, label=Ragged.texts(["news", "sport"] * 20))
    more = {"early_stopping": True, "min_epochs": 2, "patience": 3, "epochs": 40, **CLASSES}

    stopped = trained(lines(), validation=wrong, notes=notes, deterministic=True, **more)

    ends = [note for note in notes if "End of epoch" in note]
    assert ends[-1].endswith(": 5") and sum("Storing best weights" in note for note in notes) == 1
    assert stopped.content.inputs.any()


class States:
    """Keeps every state, and gives one of them back."""

    def __init__(self, first: Any = None) -> None:
        self.states: list[Any] = []
        self._first = first

    def due(self, *, ended: bool = False) -> bool:
        return True

    def save(self, arrays: Any, facts: Any) -> None:
        self.states.append(({name: array.copy() for name, array in arrays.items()}, json.loads(json.dumps(facts))))

    def latest(self) -> Any:
        return self._first


@pytest.mark.parametrize("mode", ["supervised", *MODES])
def test_a_resumed_job_gives_the_same_bits(mode: str) -> None:
    """From between two blocks and from between two epochs."""
    given = CLASSES if mode == "supervised" else {**VECTORS, "mode": mode}
    given = {**given, "deterministic": True, "epochs": 3}
    every = States()
    whole = trained(lines(), checkpoints=every, **given)
    assert {facts["step"] > 0 for _, facts in every.states} == {True, False}

    for state in every.states[1::5]:
        again = trained(lines(), checkpoints=States(state), **given)

        assert np.array_equal(again.content.inputs, whole.content.inputs)
        assert np.array_equal(again.content.outputs, whole.content.outputs)


@pytest.mark.parametrize("mode", ["supervised", "batch_skipgram"])
def test_deterministic_hosts_give_the_bits_of_one(mode: str) -> None:
    given = {**(CLASSES if mode == "supervised" else {**VECTORS, "mode": mode}), "deterministic": True, "epochs": 2}
    alone = trained(lines(91), **given)

    for checkpoints in (lambda: {}, lambda: {"checkpoints": States()}):
        for model in together(3, lambda group, more=checkpoints: trained(lines(91), group=group, **more(), **given)):
            assert np.array_equal(model.content.inputs, alone.content.inputs)
            assert np.array_equal(model.content.outputs, alone.content.outputs)


def test_hosts_that_share_the_text_learn_as_one() -> None:
    """All end with the same tables, which tell the subjects apart."""
    models = together(3, lambda group: trained(lines(300), group=group, epochs=10, **CLASSES))

    assert all(np.array_equal(model.content.inputs, models[0].content.inputs) for model in models)
    assert right(models[0], lines(40, 1)) == 1

    vectors = together(2, lambda group: trained(lines(400), group=group, mode="batch_skipgram", epochs=10, **VECTORS))

    assert np.array_equal(vectors[0].content.inputs, vectors[1].content.inputs)
    assert cosine(vectors[0], "Tor", "Ball") > cosine(vectors[0], "Tor", "vote")


def test_shares_of_hosts_are_whole_lines_without_gaps() -> None:
    tokens = np.array([3, -2, -1, 5, 5, 5, 5, -3, -1, 4, -2, -1, 7, -2, -1], np.int32)
    members: list[Any] = [SimpleNamespace(rank=rank, size=4) for rank in range(4)]

    shares = [corpus.share_of(tokens, member, whole_lines=True) for member in members]

    assert shares[0][0] == 0 and shares[-1][1] == len(tokens)
    assert all(one[1] == other[0] for one, other in pairwise(shares))
    assert all(last == 0 or tokens[last - 1] == corpus.END for _, last in shares)


def test_a_stream_too_long_for_memory_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**CLASSES, "deterministic": True}
    whole = trained(lines(), **given)
    monkeypatch.setattr(corpus, "IN_MEMORY", 100)
    monkeypatch.setattr(corpus, "LINES", 7)

    again = trained(lines(), **given)

    assert np.array_equal(whole.content.inputs, again.content.inputs)


def _text(content: str, name: str = "part-0") -> Lines:
    """As the channel reads it."""
    reader = formats.find("text/plain", "lines")
    (rows,) = reader.read(io.BytesIO(content.encode()), Layout(name))
    return rows


GOOD = "__label__a one two\n__label__b one three\n"
FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no word is frequent enough": (
        GOOD * 4, {"mode": "cbow", "min_count": 9},
        "min_count: must be at most the count of some word; it is 9, and of the 3 words of channel 'train' the most "
        "frequent are 'one' (8), 'two' (4), 'three' (4)",
    ),
    "no word of a classifier is": (
        GOOD * 4, {"min_count": 10}, "and of the 3 words of channel 'train' the most frequent are 'one' (8)"
    ),
    "lines without a label": (
        GOOD + "\nno label here\n__label__a x\nnone\n", {},
        "2 of its 5 lines have none: part-0, line 4; part-0, line 6.",
    ),
    "labels with another prefix": (
        "label_a one\nlabel_b two\n", {},
        "each line must have a label: words that begin with __label__, anywhere in the line, or 'label' beside "
        "'source' in JSON; none of its 2 lines has one.",
    ),
    "one label": ("__label__a one\n__label__a two\n", {}, "must have two labels or more; all lines have __label__a."),
    "early stopping without validation": (
        GOOD, {"early_stopping": True}, "early_stopping: must be false where there is no channel 'validation'"
    ),
    "tables beyond memory": (
        GOOD, {"buckets": 10**11, "vector_dim": 1000}, "buckets, vector_dim: 100,000,00"
    ),
    "steps too large": (GOOD, {"learning_rate": 1e38}, "learning_rate: is too high for this text"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_learned_from_is_a_sentence(fault: str) -> None:
    content, more, sentence = FAULTS[fault]

    with pytest.raises(UserError) as caught:
        trained(_text(content), **{"mode": "supervised", "min_count": 1, "vector_dim": 8, "buckets": 9, **more})

    assert sentence in str(caught.value), str(caught.value)


def test_tables_beyond_memory_say_what_they_would_take() -> None:
    with pytest.raises(UserError, match=r"would take 40\d,\d{3}\.\d GB|would take 40\d{4}\.\d GB.*Lower buckets"):
        trained(_text(GOOD), mode="supervised", min_count=1, vector_dim=1000, buckets=10**11)


def test_a_label_of_validation_that_was_not_learned_is_named_by_its_line() -> None:
    with pytest.raises(UserError) as caught:
        trained(_text(GOOD), validation=_text(GOOD + "__label__c one\n", "other"), **CLASSES | {"min_count": 1})

    sentence = "other, line 3: must have labels that channel 'train' has: __label__a, __label__b; it has __label__c."
    assert sentence in str(caught.value), str(caught.value)


def test_a_pair_that_is_none_is_named_by_its_line() -> None:
    with pytest.raises(
        UserError, match=r"evaluation/PAIRS.txt, line 3: must be two words and a number.*it is 'two words'"
    ):
        trained(lines(labels=False), mode="cbow", pairs=b"a\tb\tc\na\tb\t1\ntwo words\n", **VECTORS)


def test_bytes_that_are_not_utf_8_are_named_by_file_and_line() -> None:
    reader = formats.find("text/plain", "lines")
    with pytest.raises(UserError, match="part-0, line 2: must be UTF-8; its bytes ff"):
        list(reader.read(io.BytesIO(b"one\n\xff two\n"), Layout("part-0")))


@pytest.fixture(scope="module")
def news() -> tuple[Lines, Lines]:
    """The BBC's news in small letters, and every fifth of them, which is left out."""
    texts = [" ".join(re.findall(r"[a-z]+", text.lower())) for text in data.bbc_texts()]
    rows = Lines(text=Ragged.texts(texts), label=Ragged.texts(data.bbc_subjects()))
    order = np.random.default_rng(0).permutation(len(rows))
    return rows.take(order[len(order) // 5 :]), rows.take(order[: len(order) // 5])


def test_news_are_classified_about_as_well_as_by_fasttext(news: tuple[Lines, Lines]) -> None:
    """fastText has .955 to .97 of them right."""
    model = trained(news[0], mode="supervised", learning_rate=0.5, epochs=10, word_ngrams=1, vector_dim=10)

    assert right(model, news[1]) > 0.95


def test_vectors_of_the_default_mode_know_the_subject_of_news(news: tuple[Lines, Lines]) -> None:
    """The mean of a text's words lies nearest to the mean of the texts of its own subject."""
    model: Model = trained(Lines(text=news[0].text), mode="batch_skipgram", vector_dim=50, epochs=3)
    subjects = sorted(set(data.bbc_subjects()))

    def means(rows: Lines) -> tuple[Any, Any]:
        known = {word: number for number, word in enumerate(model.content.words.strings())}
        own = [[known[word] for word in text.split() if word in known] for text in rows.text.strings()]
        rare = 1 / np.sqrt(model.content.counts)[:, None]
        vectors = np.array([(model.content.inputs[each] * rare[each]).sum(axis=0) for each in own])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors, np.array([subjects.index(labels[0]) for labels in rows.labels()])

    learned, label = means(news[0])
    centers = np.array([learned[label == number].mean(axis=0) for number in range(len(subjects))])
    asked, truth = means(news[1])
    # The text's own mean of all subjects says nothing of any.
    nearest = ((asked - learned.mean(axis=0)) @ (centers - learned.mean(axis=0)).T).argmax(axis=1)
    assert np.mean(nearest == truth) > 0.9


def test_two_hosts_learn_the_news_as_well_as_one(news: tuple[Lines, Lines]) -> None:
    """Classes within .01 of one; of the likenesses of words, by Spearman's correlation, about what another seed has,
    which is .93."""
    given = {"mode": "supervised", "learning_rate": 0.5, "epochs": 10, "word_ngrams": 1, "vector_dim": 10}
    alone = trained(news[0], **given)
    both = together(2, lambda group: trained(news[0], group=group, **given))[0]

    assert right(both, news[1]) >= right(alone, news[1]) - 0.01

    text, given = Lines(text=news[0].text), {"mode": "batch_skipgram", "vector_dim": 32, "epochs": 2}
    alone, both = trained(text, **given), together(2, lambda group: trained(text, group=group, **given))[0]
    likeness = []
    for model in (alone, both):
        rows = model.content.inputs[:1000].astype(float)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        likeness.append((rows @ rows.T)[np.triu_indices(1000, 1)])
    assert spearmanr(*likeness).statistic > 0.88
