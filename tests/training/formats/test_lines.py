"""Lines of text with labels: plain text, JSON in all its forms, and the stream of an augmented manifest."""

from __future__ import annotations

import io
import json

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.lines import Lines
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.recordio import frame
from tests.training.formats.streams import Trickle

TEXT, JSON, LINES, FRAMES = "text/plain", "application/json", "application/jsonlines", "application/x-recordio"


def read(body: bytes, media: str, **layout: object) -> Lines:
    whole: Lines = formats.whole(body, ContentType.parse(media), Layout("train/a", **layout), "lines")
    return whole


def pairs(lines: Lines) -> list[tuple[str, list[str]]]:
    return list(zip(lines.text.strings(), lines.labels(), strict=True))


def test_words_with_the_prefix_are_labels_wherever_they_stand() -> None:
    body = b"__label__4 linux ready\r\n\n  \t\nbowled by __label__2 slower __label__x\nnone here\n__label__1"

    lines = read(body, TEXT)

    assert pairs(lines) == [
        ("linux ready", ["4"]),
        ("bowled by slower", ["2", "x"]),
        ("none here", []),
        ("", ["1"]),
    ]
    assert [lines.place(number) for number in range(4)] == [f"train/a, line {line}" for line in (1, 4, 5, 6)]


def test_the_prefix_is_a_parameter_of_the_content_type() -> None:
    assert pairs(read(b"#a b __label__c\n", "text/plain; label_prefix=#")) == [("b __label__c", ["a"])]
    assert pairs(read(b"__label__a  b\n", "text/plain; label_prefix=")) == [("__label__a  b", [])]


def test_a_line_without_labels_stays_as_it_is() -> None:
    assert pairs(read("a  b\tc__label__ ü \n".encode(), TEXT)) == [("a  b\tc__label__ ü ", [])]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"good\nb\xffd\n", "train/a, line 2: must be UTF-8; its bytes ff 64 0a are not."),
        (b"good\n\nb\0d\n", "train/a, line 3: must be text; it has a byte that is zero."),
        (b"good\n__label__ bad\n", "train/a, line 2: has a label without a name, '__label__'."),
        (b"\x1f\x8bzipped", "train/a: is plainly compressed by gzip"),
    ],
)
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_what_is_no_text_is_named_by_its_line(body: bytes, sentence: str, block: int) -> None:
    with pytest.raises(UserError) as fault:
        read(body, TEXT, block=block)

    assert str(fault.value).startswith(sentence.partition("; its bytes")[0])
    if block > 1:
        assert str(fault.value).startswith(sentence)


def test_a_line_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algoport.training.formats.text.LONGEST", 1 << 12)

    with pytest.raises(
        UserError, match="line 2: is longer than.*End each record with a line feed, .*a carriage return"
    ):
        list(formats.find(TEXT, "lines").read(Trickle(b"a\n" + b"b" * 9000), Layout("train/a", block=64)))


def test_requests_are_texts_with_options_once_or_each() -> None:
    body = {
        "instances": ["a b", {"source": "c"}, {"data": "d\r\ne", "configuration": {"k": 3}}],
        "configuration": {"k": 2},
    }

    lines = read(json.dumps(body).encode(), JSON)

    assert pairs(lines) == [("a b", []), ("c", []), ("d e", [])]
    assert lines.configuration == [{"k": 2}, {"k": 2}, {"k": 3}]


def test_json_lines_have_options_beside_the_text_and_labels_as_a_manifest_has_them() -> None:
    body = b'\n{"source": "a", "k": 3}\n{"source": "b", "label": 1, "label-metadata": {"x": 1}}\n' + (
        b'{"source": "c", "label": [0, "__label__y"], "job-metadata": 1}\n"d"\n'
    )

    lines = read(body, LINES)

    assert pairs(lines) == [("a", []), ("b", ["1"]), ("c", ["0", "y"]), ("d", [])]
    assert lines.configuration == [{"k": 3}, None, None, None]
    assert lines.place(2) == "train/a, line 4"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"text": "a"}', "line 1: must be a text, or an object with one as"),
        (b'{"source": 1}', "line 1: must be a text, or an object with one as"),
        (b'{"source": "a\\u0000"}', "line 1: must be text; it has a character that is zero"),
        (b'{"source": "a", "label": 1.5}', "line 1: a label must be a whole number or a word"),
        (b'{"source": "a", "label": true}', "line 1: a label must be a whole number or a word"),
        (b'{"source": "a", "label": "two words"}', "line 1: a label must be a whole number or a word"),
        (b'{"source": "a", "label": ""}', "line 1: a label must be a whole number or a word"),
        (b'{"source": "a", "k": 1, "configuration": 2}', 'line 1: "configuration" must be an object'),
    ],
)
def test_a_value_that_is_no_text_is_a_sentence(line: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as fault:
        read(line, LINES)

    assert str(fault.value).startswith(f"train/a, {sentence}")


@pytest.mark.parametrize("media", [FRAMES, LINES])
def test_the_stream_of_an_augmented_manifest_is_texts_and_labels_by_turns(media: str) -> None:
    """Labels come as JSON or without its quotes: the documentation says it both ways."""
    items = [b"one two", b"1", b"drei\nvier", b'["a", "b"]', b"five", b"sport", b"six", b'"news"']

    lines = read(b"".join(map(frame, items)), media)

    assert pairs(lines) == [("one two", ["1"]), ("drei vier", ["a", "b"]), ("five", ["sport"]), ("six", ["news"])]
    assert lines.place(1) == "train/a, record 3"


def test_a_manifest_without_labels_says_which_attributes_are_wanted() -> None:
    with pytest.raises(UserError, match="record 3: is a text, and no label follows it: the attributes must be source"):
        read(b"".join(map(frame, [b"a", b"1", b"b"])), FRAMES)


def test_frames_that_are_files_of_json_lines_are_read_as_such() -> None:
    files = [b'{"source": "a", "label": 1}\n{"source": "b", "label": 2}\n', b'{"source": "c", "label": 3}']

    assert pairs(read(b"".join(map(frame, files)), FRAMES)) == [("a", ["1"]), ("b", ["2"]), ("c", ["3"])]


def test_many_frames_are_handed_on_as_they_come() -> None:
    data = b"".join(frame(f"text {n}".encode()) + frame(str(n).encode()) for n in range(9000))

    parts = list(formats.find(FRAMES, "lines").read(io.BytesIO(data), Layout("train/a")))

    assert len(parts) > 1
    assert [pair for part in parts for pair in pairs(part)] == [(f"text {n}", [str(n)]) for n in range(9000)]
    assert parts[1].place(0) == f"train/a, record {2 * len(parts[0]) + 1}"
