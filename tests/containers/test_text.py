"""`algoport text`: two parallel texts become RecordIO and vocabularies."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from algoport.containers.cli.app import main
from algoport.training.formats.layout import Layout
from algoport.training.formats.sequences import recordio

GERMAN = ["das haus ist alt", "", "das alte haus", "ein haus"]
ENGLISH = ["the house is old", "nothing", "the old house", "a house"]


def _files(folder: Path, source: list[str], target: list[str]) -> list[str]:
    paths = [folder / "text.en", folder / "text.de"]
    for path, lines in zip(paths, (source, target), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines))
    return list(map(str, paths))


def _pairs(path: Path) -> list[tuple[list[int], list[int]]]:
    (records,) = recordio.read(io.BytesIO(path.read_bytes()), Layout(name="pairs"))
    sides = [records.tokens(side) for side in ("source", "target")]
    return [(sides[0][i].tolist(), sides[1][i].tolist()) for i in range(len(records))]


def test_words_are_numbered_by_falling_frequency_and_pairs_with_an_empty_side_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _files(tmp_path, ENGLISH, GERMAN)

    assert main(["text", *files, "--into", str(tmp_path / "data")]) == 0

    said = capsys.readouterr().out
    vocabulary = json.loads((tmp_path / "data/vocab/vocab.src.json").read_text())
    assert list(vocabulary) == ["<pad>", "<unk>", "<s>", "</s>", "house", "the", "old", "nothing", "is", "a"]
    assert list(vocabulary.values()) == list(range(10))
    assert "3 pairs; 1 are skipped" in said
    first, *_ = _pairs(tmp_path / "data/train/train.rec")
    assert first[0] == [vocabulary[word] for word in ENGLISH[0].split()]


def test_further_pairs_use_the_vocabularies_that_there_are(tmp_path: Path) -> None:
    files = _files(tmp_path, ENGLISH, GERMAN)
    main(["text", *files, "--into", str(tmp_path / "data"), "--words", "2"])
    before = (tmp_path / "data/vocab/vocab.trg.json").read_bytes()

    other = _files(tmp_path, ["the garden"], ["das haus"])
    vocab = str(tmp_path / "data/vocab")
    main(["text", *other, "--into", str(tmp_path / "data"), "--channel", "validation", "--vocab", vocab])

    assert (tmp_path / "data/vocab/vocab.trg.json").read_bytes() == before
    assert _pairs(tmp_path / "data/validation/validation.rec") == [([5, 1], [5, 4])]


def test_words_are_split_into_pieces_where_that_is_asked_for(tmp_path: Path) -> None:
    files = _files(tmp_path, ["lower lowest low low", "newer newest"], ["x y", "z"])

    main(["text", *files, "--into", str(tmp_path / "data"), "--pieces", "4"])

    vocabulary = json.loads((tmp_path / "data/vocab/vocab.src.json").read_text())
    assert len(json.loads((tmp_path / "data/vocab/pieces.src.json").read_text())) == 4
    tokens = {number: token for token, number in vocabulary.items()}
    ids = _pairs(tmp_path / "data/train/train.rec")[0][0]
    assert "".join(tokens[each] + " " for each in ids).replace("@@ ", "") == "lower lowest low low "


def test_files_of_unlike_length_are_refused_with_both_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _files(tmp_path, ENGLISH, GERMAN[:3])

    assert main(["text", *files, "--into", str(tmp_path / "data")]) == 2

    said = capsys.readouterr().err
    assert "must have as many lines" in said and ", 4," in said and "it has 3." in said
    assert not (tmp_path / "data").exists()


def test_a_vocabulary_without_the_special_tokens_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = _files(tmp_path, ENGLISH, GERMAN)
    for side in ("src", "trg"):
        (tmp_path / f"vocab.{side}.json").write_text('{"<pad>": 0, "house": 1}')

    assert main(["text", *files, "--into", str(tmp_path / "data"), "--vocab", str(tmp_path)]) == 2

    assert "<pad>, <unk>, <s>, </s> are 0 to 3" in capsys.readouterr().err
