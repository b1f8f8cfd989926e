"""All pictures that cannot be read are named together, before the first epoch; what is odd and can be is noted."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs import validate
from algoport.training import log
from algoport.training.channels import Channel, Files, Share, inspection
from algoport.training.channels.files import Shard
from algoport.training.channels.pictures import Pictures, as_images, class_folders
from algoport.training.formats.images import recordio
from algoport.training.formats.layout import Layout
from algoport.training.formats.recordio import frame


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (16, 16, 3), np.uint8)).save(out, kind)
    return out.getvalue()


def folder(root: Path, **files: bytes) -> Channel:
    for name, data in files.items():
        path = root / "train" / "dog" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Channel("train", Pictures(class_folders(root / "train", "train"), as_images), Share(), kind="images")


def never() -> bool:
    return False


def test_every_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    jpeg = picture()
    damaged = jpeg[:20] + b"\0" * 300 + jpeg[320:]
    channel = folder(tmp_path, good=jpeg, half=jpeg[: len(jpeg) // 2], gif=b"GIF89a", text=b"<html>", bad=damaged)

    with pytest.raises(UserError) as caught:
        inspection.inspect([channel], never)

    assert caught.value.findings == [
        "train/dog/bad.jpg: must be a JPEG, PNG or WebP file; it is one that does not say its size.",
        "train/dog/gif.jpg: must be a JPEG, PNG or WebP file; it is a GIF file.",
        "train/dog/half.jpg: is cut off: the end of the picture is missing.",
        "train/dog/text.jpg: must be a JPEG, PNG or WebP file; it is text.",
    ]


def test_what_can_be_read_is_noted_and_no_fault(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No end mark, another kind of file than the name says, and zeros behind the end."""
    log.start()
    jpeg = picture()
    channel = folder(tmp_path, end=jpeg[:-2], webp=picture("WEBP"), png=picture("PNG"), zeros=jpeg + bytes(16))

    inspection.inspect([channel], never)

    said = "".join(capfd.readouterr())
    assert "train/dog/end.jpg: lacks its end mark, and nothing else; it is read as if it had one." in said
    assert "Channel 'train': 4 pictures decoded once to see that they can be" in said and said.count("dog/") == 1


def test_validation_says_the_same_of_what_can_be_read(tmp_path: Path) -> None:
    scan = validate._scan(folder(tmp_path, end=picture()[:-2]), 10)

    assert scan.remarks == ("train/dog/end.jpg: lacks its end mark, and nothing else; it is read as if it had one.",)
    assert scan.whole and scan.sentence.startswith("Channel 'train': 1 pictures, all readable.")


def test_of_many_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    """Records of a file are named by their numbers."""
    frames = b"".join(frame(recordio.pack(picture()[:300], np.zeros(1, np.float32), n)) for n in range(33))
    path = tmp_path / "a.rec"
    path.write_bytes(frames)
    decode = lambda stream, name: recordio.read(stream, Layout(name=name))  # noqa: E731
    channel = Channel(
        "train", Files([Shard("train/a.rec", path, len(frames))], decode, "images"), Share(), kind="images"
    )

    with pytest.raises(UserError) as caught:
        inspection.inspect([channel], never)

    assert len(caught.value.findings) == inspection.MOST + 1
    assert caught.value.findings[0].startswith("train/a.rec, record 1: is cut off")
    assert caught.value.findings[-1] == "Channel 'train': 13 more of 33 pictures cannot be read."


def test_kinds_whose_readers_see_everything_are_not_looked_at_twice() -> None:
    assert inspection.inspector("rows") is None and inspection.inspector("masks") is inspection.inspector("images")
