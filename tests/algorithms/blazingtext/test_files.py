"""fastText's files: read, answered as fastText answers, trained further; and ours, as fastText and gensim read them."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.blazingtext import fasttext_file
from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.blazingtext.options import Options
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from tests.algorithms.blazingtext.jobs import CLASSES, NEWS, SPORT, VECTORS, lines, right, trained
from tests.clients import readers

HERE = Path(__file__).parent
ANSWERS = json.loads((HERE / "fasttext/answers.json").read_text())
WORDS = ["Tor", "日本", "the", "läu", "unbekannt"]


def loaded(name: str, tmp_path: Path) -> Model:
    """A model of fastText by its name."""
    path = HERE / ("original/model.bin" if name == "softmax" else f"fasttext/{name}.bin")
    shutil.copy(path, tmp_path / "model.bin")
    return Model.load(tmp_path)


@pytest.mark.parametrize("name", ANSWERS["classifiers"])
def test_classifiers_of_fasttext_answer_as_there(name: str, tmp_path: Path) -> None:
    """Every loss, subwords and quantized tables; texts with unknown words, without any, and with a label as a word."""
    got = loaded(name, tmp_path).predict(Lines(text=Ragged.texts(ANSWERS["asked"])), Options(k=3))

    for number, each in enumerate(ANSWERS["classifiers"][name]):
        assert got["label"][number] == each["label"], ANSWERS["asked"][number]
        # fastText adds 1e-5 to a probability before it takes the logarithm; its sigmoids are a table in steps of 1/32.
        tolerance = 1 / 32 / 4 if name in ("negatives", "one_vs_all") else 5e-5
        np.testing.assert_allclose(got["prob"][number], np.minimum(each["prob"], 1), atol=tolerance)


@pytest.mark.parametrize("name", ANSWERS["vectors"])
def test_vectors_of_fasttext_are_those_that_it_gives(name: str, tmp_path: Path) -> None:
    """Of words that it knows and of others, by their n-grams where it has them."""
    got = loaded(name, tmp_path).vectors([word.encode() for word in ANSWERS["words"]])

    np.testing.assert_allclose(got, ANSWERS["vectors"][name], atol=2e-6)


def test_a_classifier_of_fasttext_is_trained_further(tmp_path: Path) -> None:
    """It learns new words, keeps the old and their counts, and is right about both subjects afterwards."""
    start = loaded("softmax", tmp_path)
    more = {**CLASSES, "buckets": 40, "word_ngrams": 2}

    model = trained(lines(), start=start, epochs=10, **more)

    old, new = start.content, model.content
    assert set(old.labels.strings()) <= set(new.labels.strings())
    counts = [dict(zip(each.words.strings(), each.counts.tolist(), strict=True)) for each in (old, new)]
    assert set(counts[0]) <= set(counts[1]) and counts[1]["the"] == counts[0]["the"] + 90
    assert right(model, lines(40, 1)) == 1
    assert new.tokens > old.tokens


@pytest.mark.parametrize(
    ("name", "more"), [("skipgram", {"subwords": True, "min_char": 2, "max_char": 4}), ("cbow", {})]
)
def test_vectors_of_fasttext_are_trained_further(name: str, more: dict[str, object], tmp_path: Path) -> None:
    """From where they were: with a step of next to nothing they stay."""
    start = loaded(name, tmp_path)
    settings = {**VECTORS, "buckets": 40, "mode": name, "learning_rate": 1e-9, "epochs": 1, **more}

    model = trained(lines(labels=False), start=start, **settings)

    words = [word.encode() for word in ["Tor", "vote", *(["läu"] if more else [])]]
    np.testing.assert_allclose(model.vectors(words), start.vectors(words), atol=1e-5)


REFUSED: dict[str, tuple[str, dict[str, object], str]] = {
    "a quantized one": ("quantized", {}, "is a quantized model, which can be served and not trained further"),
    "another loss": ("hierarchical", {}, "the loss softmax to be trained further; its loss is hierarchical softmax"),
    "subwords of a classifier": ("spelled", {}, "is a classifier with subwords"),
    "another dimension": (
        "softmax",
        {"vector_dim": 9},
        "vector_dim: must be that of the model to start from, 8; it is 9",
    ),
    "other buckets": ("softmax", {"buckets": 41}, "buckets: must be that of the model to start from, 40; it is 41"),
    "word vectors": ("skipgram", {}, "mode: must be that of the model to start from, one of word vectors"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_start_that_does_not_fit_is_refused(case: str, tmp_path: Path) -> None:
    name, more, sentence = REFUSED[case]

    with pytest.raises(UserError) as caught:
        trained(lines(), start=loaded(name, tmp_path), **{**CLASSES, "buckets": 40, **more})

    assert sentence in str(caught.value), str(caught.value)


def _spoilt(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + value + data[place + len(value) :]


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is no model of fastText: it is too short"),
    "of something else": (lambda _: b"\x80\x04pickled model", "is no model of fastText: it does not begin as one"),
    "of a later version": (_spoilt(4, struct.pack("<i", 13)), "version 11 or 12; it is of 13"),
    "of an unknown kind": (_spoilt(8 + 7 * 4, struct.pack("<i", 9)), "has arguments that fastText has not"),
    "cut in its words": (lambda data: data[:120], "is cut"),
    "cut in its tables": (lambda data: data[:-50], "is cut"),
    "with more behind it": (lambda data: data + b"x", "goes on behind its end"),
    "not finite": (_spoilt(-8, struct.pack("<f", np.nan)), "must have finite numbers; some of its output rows are not"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_damaged_is_a_sentence(fault: str, tmp_path: Path) -> None:
    spoil, sentence = FAULTS[fault]
    (tmp_path / "model.bin").write_bytes(spoil((HERE / "original/model.bin").read_bytes()))

    with pytest.raises(UserError) as caught:
        Model.load(tmp_path)

    assert str(caught.value).startswith("model.bin: ") and sentence in str(caught.value), str(caught.value)


def test_a_label_that_is_not_utf_8_is_answered_with_a_replacement(tmp_path: Path) -> None:
    """fastText learns from any bytes."""
    data = (HERE / "original/model.bin").read_bytes().replace(b"__label__news", b"__label__n\xffws")
    (tmp_path / "model.bin").write_bytes(data)

    got = Model.load(tmp_path).predict(Lines(text=Ragged.texts(["vote says"])))

    assert got["label"] == [["__label__n\ufffdws"]]


def test_every_cut_of_a_file_is_a_sentence(tmp_path: Path) -> None:
    whole = (HERE / "fasttext/quantized.bin").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "model.bin").write_bytes(whole[:size])
        with pytest.raises(UserError):
            Model.load(tmp_path)


def test_a_file_of_fasttext_is_written_again_byte_by_byte(tmp_path: Path) -> None:
    model = loaded("spelled", tmp_path)

    fasttext_file.write(tmp_path / "again", model.content)

    assert (tmp_path / "again").read_bytes() == (HERE / "fasttext/spelled.bin").read_bytes()


@pytest.fixture(scope="module", params=["batch_skipgram", "skipgram", "cbow"])
def vectors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model of word vectors, and where it lies; skip-gram with subwords."""
    folder = tmp_path_factory.mktemp(request.param)
    subwords = {"subwords": True} if request.param == "skipgram" else {}
    model = trained(lines(labels=False), mode=request.param, epochs=2, **VECTORS, **subwords)
    model.save(folder)
    return model, folder


def test_the_text_of_vectors_has_words_by_falling_counts(vectors: tuple[Model, Path]) -> None:
    model, folder = vectors
    first, *rest = (folder / "vectors.txt").read_text().splitlines()
    words = [line.split(" ")[0] for line in rest]

    assert first == f"{len(rest)} 8" and sorted(words) == sorted([*SPORT, *NEWS, "the"]) and words[0] == "the"
    numbers = np.array([line.split(" ")[1:] for line in rest], np.float32)
    np.testing.assert_allclose(numbers, model.vectors([word.encode() for word in words]), atol=1e-7)


def test_the_program_of_the_page_of_clients_reads_vectors(vectors: tuple[Model, Path]) -> None:
    model, folder = vectors
    names: dict[str, Any] = {"model": folder, "rows": np.array(WORDS[:3])}

    exec(readers.program("blazingtext"), names)

    np.testing.assert_allclose(
        names["answers"]["vector"], model.vectors([word.encode() for word in WORDS[:3]]), atol=1e-7
    )


def test_gensim_reads_the_text_of_vectors(vectors: tuple[Model, Path]) -> None:
    models: Any = pytest.importorskip("gensim.models")
    model, folder = vectors

    theirs = models.KeyedVectors.load_word2vec_format(str(folder / "vectors.txt"))

    np.testing.assert_allclose(theirs["日本"], model.vectors(["日本".encode()])[0], atol=1e-7)


def test_gensim_reads_the_file_with_subwords(tmp_path: Path) -> None:
    fasttext: Any = pytest.importorskip("gensim.models.fasttext")
    model = trained(lines(labels=False), mode="skipgram", epochs=2, subwords=True, **VECTORS)
    model.save(tmp_path)

    theirs = fasttext.load_facebook_vectors(str(tmp_path / "vectors.bin"))

    for word in WORDS:
        np.testing.assert_allclose(theirs[word], model.vectors([word.encode()])[0], atol=1e-6)


def test_fasttext_reads_the_file_of_vectors(vectors: tuple[Model, Path]) -> None:
    fasttext: Any = pytest.importorskip("fasttext")
    model, folder = vectors

    theirs = fasttext.load_model(str(folder / "vectors.bin"))

    got = model.vectors([word.encode() for word in WORDS])
    np.testing.assert_allclose([theirs.get_word_vector(word) for word in WORDS], got, atol=1e-6)


def test_fasttext_classifies_as_we_do(tmp_path: Path) -> None:
    fasttext: Any = pytest.importorskip("fasttext")
    model = trained(lines(), epochs=3, word_ngrams=3, **CLASSES)
    model.save(tmp_path)
    asked = [*lines(20, 3).text.strings(), "goal never seen", ""]

    theirs = fasttext.load_model(str(tmp_path / "model.bin"))

    got = model.predict(Lines(text=Ragged.texts(asked)), Options(k=2))
    for text, labels, chances in zip(asked, got["label"], got["prob"], strict=True):
        pairs = theirs.f.predict(text + "\n", 2, 0.0, "strict")  # the package's own predict fails with NumPy 2
        assert [label for _, label in pairs] == labels
        np.testing.assert_allclose([min(chance, 1) for chance, _ in pairs], chances, atol=5e-5)
