"""Real pictures with boxes and masks, written by others than our writers, read from every form they come in."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.training.formats.recordio import frame
from tests import data
from tests.training.annotated import annotation, put, read


def garments(count: int) -> Iterator[tuple[str, Any, list[tuple[int, ...]], Any]]:
    """Real pictures of garments, none to two on one: name, pixels, class and corners of each, class of each pixel."""
    images, labels, *_ = data.fashion()
    random, at = np.random.default_rng(0), 0
    for number in range(count):
        height, width = random.integers(40, 90, 2)
        pixels, mask, boxes = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8), []
        for left in range(0, width - 27, 30)[: number % 3]:
            top = int(random.integers(0, height - 27))
            image, label = images[at].reshape(28, 28), int(labels[at])
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            boxes.append((label, left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
            pixels[top : top + 28, left : left + 28] = image
            mask[top : top + 28, left : left + 28] = np.where(image > 0, label + 1, 0)
            at += 1
        yield f"{number:03d}", pixels, [tuple(map(int, box)) for box in boxes], mask


def test_real_pictures_have_the_same_boxes_from_annotations_lists_and_records(tmp_path: Path) -> None:
    """Written by Pillow and by hand: JPEG files and JSON, a list for im2rec, and records as im2rec packs them."""
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    lines, records, want = [], [], []
    places = [tmp_path / name for name in ("notes", "list", "rec")]
    for number, (name, pixels, boxes, _) in enumerate(garments(30)):
        file = io.BytesIO()
        image.fromarray(pixels).save(file, "JPEG")
        height, width = pixels.shape
        corners = [[label, x / width, y / height, r / width, b / height] for label, x, y, r, b in boxes]
        entries = [(label, x, y, r - x, b - y) for label, x, y, r, b in boxes]
        sizes = [{"width": width, "height": height, "depth": 1}]
        text = json.loads(annotation(*entries)) | {"image_size": sizes, "file": f"garments/{name}.jpg"}
        put(places[0], **{f"train__{name}_jpg": file.getvalue(), f"notes__{name}_json": json.dumps(text)})
        put(places[1], **{f"train__{name}_jpg": file.getvalue()})
        flat = [2, 5, *np.ravel(corners)]
        lines.append("\t".join([str(number), *(f"{value:.6f}" for value in flat), f"{name}.jpg"]))
        head = struct.pack(f"<IfQQ{len(flat)}f", len(flat), 0, number, 0, *flat)
        records.append(frame(head + file.getvalue()))
        want.append((file.getvalue(), np.array(corners).reshape(-1, 5)))
    put(places[1], lst__train_lst="\n".join(lines))
    put(places[2], train__train_rec=b"".join(records))

    sets = [
        read(places[0], "boxes", classes=11),
        read(places[1], "boxes", classes=11),
        read(places[2], "boxes", classes=11, content_type="application/x-recordio"),
    ]

    assert {len(corners) for _, corners in want} == {0, 1, 2}
    for boxes in sets:
        assert list(boxes.encoded) == [data for data, _ in want]
        for objects, (_, corners) in zip(boxes.objects, want, strict=True):
            np.testing.assert_allclose(objects, corners, atol=1e-6)


def test_real_pictures_keep_their_masks_from_folders_and_from_a_manifest(tmp_path: Path) -> None:
    """Written by Pillow with a palette of colors, and read back by it: places in the palette, not the colors."""
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    frames, want = [], []
    for name, pixels, _, mask in garments(12):
        picture, file = io.BytesIO(), io.BytesIO()
        image.fromarray(np.stack([pixels] * 3, axis=2)).save(picture, "JPEG")
        colored = image.fromarray(mask)
        colored.putpalette(np.random.default_rng(1).integers(0, 256, 768).astype(np.uint8).tobytes())
        colored.save(file, "PNG")
        put(tmp_path, **{f"train__{name}_jpg": picture.getvalue(), f"notes__{name}_png": file.getvalue()})
        frames += [frame(picture.getvalue()), frame(file.getvalue())]
        want.append(mask)
    put(tmp_path / "stream", train__part_bin=b"".join(frames))

    sets = [
        read(tmp_path, "masks", classes=11),
        read(tmp_path / "stream", "masks", classes=11, content_type="application/x-recordio"),
    ]

    for masks in sets:
        assert len(masks) == 12
        for png, mask in zip(masks.masks, want, strict=True):
            np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(png))), mask)
