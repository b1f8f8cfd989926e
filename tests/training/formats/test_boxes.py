"""Pictures with boxes in records, and in the stream of an augmented manifest."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.shared.vision.decoding import encode
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.boxes import recordio
from algoport.training.formats.recordio import frame
from tests.training.formats.test_masks import turned

PNG = png(40, 50)  # 50 wide and 40 high
BOX = {"class_id": 2, "left": 10, "top": 20, "width": 25, "height": 10}


def read(data: bytes, media: str = "application/x-recordio", **how: Any) -> Boxes:
    records: Boxes = formats.whole(data, ContentType.parse(media), Layout(name="train/a.rec", **how), "boxes")
    return records


def record(*numbers: float, data: bytes = PNG) -> bytes:
    """A frame with a label of these numbers, as MXNet's tools write it: flag, 0, number, 0, labels, picture."""
    return frame(struct.pack(f"<IfQQ{len(numbers)}f", len(numbers), 0.0, 7, 0, *numbers) + data)


def annotation(*boxes: Any, **more: Any) -> bytes:
    value = {"image_size": [{"width": 50, "height": 40, "depth": 3}], "annotations": list(boxes)}
    return json.dumps({**value, **more}).encode()


def test_a_record_is_read_as_the_specification_packs_it() -> None:
    """Test vector of the data formats: flag 7, id 7, labels 2, 5, class 1, 0.25, 0.5, 0.75, 1.0."""
    vector = (
        "07000000 00000000 07000000 00000000 00000000 00000000 00000040 0000a040 0000803f 0000803e 0000003f 0000403f "
        "0000803f"
    )

    boxes = read(frame(bytes.fromhex(vector) + PNG))

    assert boxes.objects is not None and boxes.objects[0] is not None
    assert boxes.objects[0].tolist() == [[1, 0.25, 0.5, 0.75, 1.0]]
    assert list(boxes.encoded) == [PNG] and boxes.place(0) == "train/a.rec, record 1"


def test_pictures_have_objects_of_differing_counts_and_more_numbers_each() -> None:
    """A longer header, a sixth number that marks what is difficult, none at all, and what pads a label."""
    stream = (
        record(4, 6, 300, 400, 0, 0.1, 0.2, 0.3, 0.4, 1, 3, 0, 0, 1, 1, 0)
        + record(2, 5)
        + record(2, 5, 1, 0, 0, 0.5, 0.5, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)
    )

    boxes = read(stream)

    assert boxes.objects is not None
    counts = [None if objects is None else objects.shape for objects in boxes.objects]
    assert counts == [(2, 6), (0, 5), (1, 5)]
    assert boxes.difficult(0).tolist() == [True, False] and boxes.difficult(2).tolist() == [False]
    assert [boxes.label_width(number) for number in range(3)] == [14, 2, 7]


def test_an_augmented_manifest_has_pictures_and_annotations_by_turns() -> None:
    """Ground Truth's bounding boxes: pixels become fractions; the last object is marked as difficult."""
    stream = b"".join(
        frame(part)
        for part in (
            PNG,
            annotation(BOX, {**BOX, "class_id": 0.0, "difficult": 1}, categories=[{"class_id": 2, "name": "cat"}]),
            PNG,
            annotation(),
            PNG,
            json.dumps(annotation(BOX).decode()).encode(),
        )
    )

    boxes = read(stream)

    assert boxes.objects is not None
    first, second, third = boxes.objects
    assert first is not None and second is not None and third is not None
    np.testing.assert_allclose(first, [[2, 0.2, 0.5, 0.7, 0.75, 0], [0, 0.2, 0.5, 0.7, 0.75, 1]], rtol=1e-6)
    assert second.shape == (0, 5) and third.shape == (1, 5)
    assert boxes.place(2) == "train/a.rec, record 5"


def test_files_that_pipes_wrapped_are_read_as_the_files_and_no_deeper() -> None:
    whole = record(2, 5) + record(2, 5, 0, 0, 0, 1, 1)

    boxes = read(frame(whole) + frame(frame(PNG) + frame(annotation(BOX))))

    assert [len(objects) for objects in boxes.objects or () if objects is not None] == [0, 1, 1]
    assert boxes.place(1) == "train/a.rec, object 1, record 2"
    nested = whole
    for _ in range(3000):
        nested = frame(nested)
    with pytest.raises(UserError, match="object 1, record 1: says that"):
        read(nested)


@pytest.mark.parametrize(
    ("size", "scale"),
    [({"width": 50, "height": 40}, 1), ({"width": 100, "height": 80, "depth": 3}, 2), ({"width": 49, "height": 39}, 1)],
)
def test_pixels_are_those_of_image_size_also_where_the_picture_was_scaled(size: Any, scale: int) -> None:
    box = {"class_id": 0, "left": 0, "top": 0, "width": 20 * scale, "height": 20 * scale}

    boxes = read(frame(PNG) + frame(annotation(box, image_size=[size])))

    assert boxes.objects is not None and boxes.objects[0] is not None
    want = [0, 0, 0, 20 * scale / size["width"], 20 * scale / size["height"]]
    np.testing.assert_allclose(boxes.objects[0], [want], rtol=1e-6)


def test_an_annotation_may_begin_with_the_mark_that_editors_write() -> None:
    boxes = read(frame(PNG) + frame(b"\xef\xbb\xbf" + annotation({**BOX, "class_id": 3})))

    assert boxes.objects is not None and boxes.objects[0] is not None and boxes.objects[0][0, 0] == 3
    with pytest.raises(UserError, match="is not JSON"):
        read(frame(PNG) + frame(b"\xef\xbb\xbf" * 5000 + annotation(BOX)))


def test_a_picture_is_described_as_it_is_seen() -> None:
    """A camera that was held upright writes 50 x 40 pixels, and that they are 40 wide and 50 high."""
    jpeg = turned(encode(np.zeros((40, 50, 3), np.uint8), 90), 6)
    box = {"class_id": 0, "left": 0, "top": 0, "width": 20, "height": 20}
    seen, stored = ({"width": 40, "height": 50}, {"width": 50, "height": 40})

    boxes = read(frame(jpeg) + frame(annotation(box, image_size=[seen])))

    assert boxes.objects is not None and boxes.objects[0] is not None
    np.testing.assert_allclose(boxes.objects[0], [[0, 0, 0, 0.5, 0.4]], rtol=1e-6)
    with pytest.raises(UserError, match="image_size is 50 x 40, where the picture has 40 x 50 pixels"):
        read(frame(jpeg) + frame(annotation(box, image_size=[stored])))


def test_what_rounding_left_outside_is_moved_to_the_edge() -> None:
    boxes = read(record(2, 5, 0, -0.004, 0, 1.0000001, 1.009))

    assert boxes.objects is not None and boxes.objects[0] is not None
    assert boxes.objects[0].tolist() == [[0, 0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((), "must have a label of boxes, which begins with the numbers of its header and of an object"),
        ((3,), "such as 2, 5; it has 1 number."),
        ((2, 5, 0), "has 1 numbers of objects behind its header, which is no multiple of 5."),
        ((2, 4, 0, 0, 0, 1), "of an object, at least 5; it begins 2, 4."),
        ((1, 5, 0, 0, 0, 1, 1), "from 2 to 7"),
        ((9, 5, 0, 0, 0, 1, 1), "it begins 9, 5."),
        ((2.5, 5, 0, 0, 0, 1, 1), "it begins 2.5, 5."),
        ((float("nan"), 5), "it begins nan, 5."),
        ((2, float("inf")), "it begins 2, inf."),
        ((2**31, 2**32), "it begins 2.14748e+09, 4.29497e+09."),
        ((2, 2.0**63), "it begins 2, 9.22337e+18."),
        ((2, 5, -1, 0, 0, 1, 1), "object 1: its class must be a whole number from 0 to 16777215; it is -1."),
        ((2, 5, 0, 0, 0, 1, 1, 1.5, 0, 0, 1, 1), "record 1, object 2: its class must be a whole number"),
        ((2, 5, 2**24, 0, 0, 1, 1), "it is 16777216."),
        ((2, 5, 2.0**63, 0, 0, 1, 1), "it is 9.223372037e+18."),
        ((2, 5, 0, float("nan"), 0, 1, 1), "object 1: must have finite numbers only."),
        ((2, 6, 0, 0, 0, 1, 1, float("inf")), "object 1: must have finite numbers only."),
        ((2, 5, 0, 0.5, 0, 0.5, 1), "object 1: xmin must be below xmax; they are 0.5 and 0.5."),
        ((2, 5, 0, 0, 0.7, 1, 0.3), "object 1: ymin must be below ymax; they are 0.7 and 0.3."),
        ((2, 5, 0, 0, 0, 1.5, 1), "must lie within the picture, from 0 to 1 of width and height; its corners are 0, 0"),
        ((2, 5, 0, 120, 30, 240, 90), "its corners are 120, 30, 240, 90."),
        ((2, 5, 0, 1.001, 0, 1.002, 1), "its corners are 1.001, 0, 1.002, 1."),
    ],
)
def test_a_label_that_is_none_of_boxes_is_refused_with_its_record_and_object(numbers: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read(record(*numbers))

    assert str(caught.value).startswith("train/a.rec, record 1") and sentence in str(caught.value)


@pytest.mark.parametrize("flag", [2**20 + 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_flag_that_counts_more_than_there_is_costs_nothing(flag: int) -> None:
    with pytest.raises(UserError, match=f"record 1: says that {flag:,} labels follow"):
        read(frame(struct.pack("<IfQQ", flag, 0, 0, 0) + PNG))


def test_classes_are_below_their_number_where_it_is_known() -> None:
    stream = record(2, 5, 3, 0, 0, 1, 1)

    assert len(read(stream, classes=4)) == 1
    with pytest.raises(UserError, match="its class must be a whole number from 0 to 2; it is 3"):
        read(stream, classes=3)
    with pytest.raises(UserError, match='record 2, object 1: "class_id" must be a whole number from 0 to 1; it is 2'):
        read(frame(PNG) + frame(annotation(BOX)), classes=2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"cat", "record 2: is not JSON"),
        (b"", "record 2: is not JSON"),
        (b"[" * 1020 + b"]" * 1020, 'must be an object with "image_size" and a list "annotations"'),
        (b"3", 'must be an object with "image_size" and a list "annotations"; it is \'3\''),
        (b'{"image_size": [], "annotations": []}', '"image_size" must be a list of one object with "width"'),
        (b'{"annotations": []}', "in pixels; it is null."),
        (annotation(image_size=[{"width": 0, "height": 40}]), '"image_size" must be'),
        (annotation(image_size=[{"width": True, "height": 40}]), '"image_size" must be'),
        (annotation(image_size=[{"width": 2**31, "height": 40}]), '"image_size" must be'),
        (annotation(image_size=[{"width": 2**63, "height": 2**64}]), '"image_size" must be'),
        (
            annotation(image_size=[{"width": 64, "height": 40}]),
            "image_size is 64 x 40, where the picture has 50 x 40 pixels: the boxes do not belong to it.",
        ),
        (annotation(image_size=[{"width": 40, "height": 50}]), "image_size is 40 x 50, where the picture has 50 x 40"),
        (annotation(3), 'object 1: must be an object with "class_id" and pixels; it is 3.'),
        (annotation([[[]]] * 300), "object 1: must be an object"),
        (annotation({**BOX, "class_id": 1.5}), '"class_id" must be a whole number from 0 to 16777215; it is 1.5.'),
        (annotation({**BOX, "class_id": "1"}), '"class_id" must be a whole number from 0 to 16777215; it is "1".'),
        (annotation({**BOX, "class_id": -1}), "it is -1."),
        (annotation({**BOX, "class_id": None}), "it is null."),
        (annotation({**BOX, "class_id": 2**31}), "it is 2147483648."),
        (annotation({**BOX, "class_id": 2**63}), "it is 9223372036854775808."),
        (annotation({**BOX, "class_id": 10**400}), "record 2"),
        (annotation({**BOX, "class_id": math.nan}), "from 0 to 16777215; it is NaN."),
        (annotation({**BOX, "class_id": math.inf}), "from 0 to 16777215; it is Infinity."),
        (annotation({**BOX, "left": math.nan}), '"left" must be a number of pixels; it is NaN.'),
        (annotation({**BOX, "width": -math.inf}), '"width" must be a number of pixels above 0; it is -Infinity.'),
        (annotation(image_size=[{"width": math.nan, "height": 40}]), '"image_size" must be'),
        (annotation({**BOX, "left": "3"}), '"left" must be a number of pixels; it is "3".'),
        (annotation({**BOX, "left": 2**32}), '"left" must be a number of pixels; it is 4294967296.'),
        (annotation({**BOX, "width": 0}), '"width" must be a number of pixels above 0; it is 0.'),
        (annotation(BOX, {**BOX, "height": -5}), 'object 2: "height" must be a number of pixels above 0; it is -5.'),
        (
            annotation({**BOX, "height": 2**63}),
            "it is 9223372036854775808.",
        ),
        (annotation({**BOX, "left": 40}), "object 1: its box must lie within the picture"),
        (annotation({**BOX, "top": -12}), "object 1: its box must lie within the picture"),
        (annotation({**BOX, "difficult": 2}), '"difficult" must be 0 or 1; it is 2.'),
        (annotation({"class_id": 1}), '"left" must be a number of pixels; it is null.'),
    ],
)
def test_an_annotation_that_is_wrong_is_refused_with_its_record_and_object(text: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read(frame(PNG) + frame(text))

    assert str(caught.value).startswith("train/a.rec, record 2") and sentence in str(caught.value)


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (frame(PNG), "record 1: is a picture, and no annotation follows it."),
        (frame(PNG) + frame(annotation(BOX)) + frame(annotation(BOX)), "record 3: must be a JPEG, PNG or WebP file"),
        (frame(struct.pack("<IfQQ", 0, 3.0, 0, 0) + PNG), "must have a label of boxes"),
        (record(2, 5, data=b"GIF89a"), "record 1: must hold a JPEG, PNG or WebP file; it is a GIF file."),
        (record(2, 5)[:-40], "record 1 (byte 0): is cut off"),
        (record(2, 5) + b"\x0a\x23", "record 2 (byte"),
        (frame(b"short"), "record 1: must have a header of 24 bytes; it has 5 in all."),
    ],
)
def test_a_stream_that_is_wrong_is_refused_with_its_record(stream: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read(stream)

    assert str(caught.value).startswith("train/a.rec") and sentence in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(some.data())
def test_damage_is_refused_or_harmless(data: some.DataObject) -> None:
    """In headers, in annotations, and in the frames of both."""
    good = bytearray(record(2, 5, 0, 0, 0, 1, 1) + record(2, 5))
    if data.draw(some.booleans()):
        good = bytearray(frame(PNG) + frame(annotation(BOX, BOX)) + frame(PNG) + frame(annotation()))
    noise = data.draw(some.binary(max_size=40))
    at = data.draw(some.integers(0, len(good)))
    good[at : at + len(noise)] = noise
    try:
        boxes = read(bytes(good), classes=data.draw(some.sampled_from([None, 1, 3])))
    except UserError as error:
        assert str(error).startswith("train/a.rec")
    else:
        for objects in boxes.objects or ():
            assert objects is not None and np.isfinite(objects).all()
            assert (objects[:, 1:3] < objects[:, 3:5]).all() and (objects[:, 1:5] >= 0).all()
            assert (objects[:, 1:5] <= 1).all() and (objects[:, 0] >= 0).all()


def test_a_body_is_one_picture_and_says_nothing_of_boxes() -> None:
    boxes = read(PNG, "image/jpeg")

    assert list(boxes.encoded) == [PNG] and boxes.objects is None
    with pytest.raises(ValueError, match="say nothing of theirs"):
        recordio.write(boxes)
