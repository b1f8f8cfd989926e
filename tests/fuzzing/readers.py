"""Every reader of `training/formats`, and the valid bodies that serve as seeds."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np

from algoport.algorithms.contract import Field, kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.records.images import png
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.images import picture
from algoport.training.formats.recordio import frame
from tests.fuzzing.fuzzer import Target
from tests.fuzzing.pictures import picture_files
from tests.records import generated

# Names that generated sequences have; of a table, a column of texts and one of numbers.
FIELDS = (Field(name="in0", meaning="texts"), Field(name="in1", meaning="numbers", number=True))
LIMIT = 1 << 24  # bytes that a body may decode to


@cache
def bodies(kind: str) -> tuple[object, ...]:
    """Records of that kind, to be written in its formats."""
    return tuple(generated(kind, 12))


def seeds(kind: str, media: str) -> list[bytes]:
    """Bodies of that type that a reader takes."""
    module, valid = formats.find(media, kind), []
    for records in bodies(kind):
        try:
            valid.append(module.write(records))
        except (ValueError, TypeError):  # a format that cannot hold these
            continue
    return valid + BY_HAND.get(media, []) + (picture_files() if media == picture.MEDIA[0] else [])


def number_of(varint: bytes) -> bytes:
    """A record whose sequence in0 has one number, which need fit no int32: of 2^31, 2^32 + 5, 2^63, -1."""
    message = varint
    for tag in (b"\x0a", b"\x3a", b"\x0a\x03in0\x12", b"\x0a"):
        message = tag + bytes([len(message)]) + message
    return frame(message)


BY_HAND = {
    "text/csv": [b'1,"2",3,4\n5,6,,nan\n', b"1;2;3;4\n", b"a,b,c,d\n1,2,3,4\n", b"1\t2\t3\t4\r\n1\t2\t3\t4\r\n"],
    "text/libsvm": [b"1:0.5 0:1 2:3\n0 1:2 # no\n", b"2 qid:7 0:1 3:2\n1 qid:8 1:1\n"],
    "application/json": [
        b'{"instances":[{"data":{"features":{"keys":[0,3],"shape":[4],"values":[1,2]}}}],"configuration":{"k":1}}',
        b'{"features":[1,2,3,4],"label":1,"weight":2}',
        json.dumps({"instances": [{"start": "2020-01-01", "target": [1, "NaN"] * 5}], "configuration": {}}).encode(),
    ],
    "application/jsonlines": [
        b'{"features":[1,2,3,4]}\n\n{"data":{"features":{"values":[1,2,3,4]}}}\n',
        b'{"source":"a b","label":[1,"x"],"k":2,"label-metadata":{}}\n{"source":"","k":9223372036854775808}\n',
        b'{"in0":[2147483647],"in1":[2147483648],"label":4294967296}\n{"in0":[9223372036854775807,18446744073709551616]}\n',
        b'{"features":["a",4294967296]}\n{"features":["\\ud800",1e39]}\n',
    ],
    "text/plain": [b"__label__1 a b\nc __label__2\n", b"a\r\n\n \t\n__label__\n", b"\xef\xbb\xbfa\n\x00"],
    "application/x-recordio-protobuf": [
        number_of(bytes.fromhex(text))
        for text in ("8080808008", "8580808010", "80808080808080808001", "ffffffffffffffffff01")
    ],
}


def by_turns(*known: bytes) -> bytes:
    """Pictures in frames, each followed by what is known of it, as the stream of an augmented manifest has them."""
    return b"".join(frame(part) for each in known for part in (png(40, 50), each))


def headed(flag: int, *numbers: float) -> bytes:
    """A record whose header counts so many labels, and has these."""
    return frame(struct.pack(f"<IfQQ{len(numbers)}f", flag, 0.0, 7, 0, *numbers) + png(4, 5))


def annotation(**more: object) -> bytes:
    """What a labeling tool writes of a picture of 50 x 40 pixels."""
    box = {"class_id": 2, "left": 10, "top": 20, "width": 25, "height": 10, **more}
    return json.dumps({"image_size": [{"width": 50, "height": 40, "depth": 3}], "annotations": [box]}).encode()


EDGES = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63)
# Widths, keys and counts about which an index of some size ends.
WIDTHS = tuple(edge + beside for edge in (1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63) for beside in (-2, -1, 0, 1))
BY_HAND["text/libsvm"] += [f"1 0:1 {width}:2\n0 1:1\n".encode() for width in WIDTHS]
for _media in ("application/json", "application/jsonlines"):
    BY_HAND[_media] += [
        f'{{"data":{{"features":{{"keys":[0,{width - 1}],"shape":[{width}],"values":[1,2]}}}}}}'.encode()
        for width in WIDTHS
    ]
BY_HAND["application/x-recordio"] = [
    by_turns(b"1", b'"[0, 1]"', b"[0, 2]"),
    by_turns(annotation(), annotation(difficult=1), b'{"image_size": [{"width": 5, "height": 4}], "annotations": []}'),
    by_turns(png(40, 50, b"", "gray"), png(40, 50, bytes(range(99)), "palette")),
    frame(by_turns(annotation(), annotation())),
    headed(7, 2, 5, 1, 0.25, 0.5, 0.75, 1.0) + headed(2, 2, 5) + headed(9, 4, 5, 0, 0, 3, 0, 0, 1, 1),
    *(headed(edge, 2, 5) for edge in EDGES if edge < 1 << 32),
    *(headed(7, 2, 5, edge, 0, 0, edge, 1) for edge in EDGES),
    *(by_turns(annotation(**{name: edge})) for name in ("class_id", "left", "height") for edge in EDGES),
    by_turns(*(str(edge).encode() for edge in EDGES)),
]


def targets() -> Iterator[Target]:
    """One for every reader of every kind."""
    for kind in kinds.names():
        for media in types(kind):
            yield Target(f"{kind} {media}", seeds(kind, media), _reader(kind, media))


def types(kind: str) -> list[str]:
    """The canonical names of a kind's content types."""
    return [module.MEDIA[0] for module in formats.modules(kind)]


def _reader(kind: str, media: str):
    """Reads bodies as a channel and as a request, in ways that follow from the body."""
    types = [ContentType(media, {}), ContentType(media, {"label_size": "1", "header": "present"})]
    types.append(ContentType(media, {"label-format": "class-id"}))

    def feed(data: bytes) -> bool:
        way = zlib.crc32(data)
        layout = Layout(
            "part",
            labels=way & 1,
            weighted=way & 6 == 6,
            width=4 if way & 24 else None,
            block=(1, 40, 1 << 16, 1 << 24)[way >> 5 & 3],
            limit=LIMIT,
            classes=3,
            missing=bool(way & 128),
            fields=FIELDS if way & 512 else (),
        )
        try:
            if way & 256:
                return len(formats.whole(data, types[way % 3], layout, kind)) >= 0
            return read(data, types[way % 3], layout, kind)
        except UserError as fault:
            assert str(fault), "a fault without a sentence"
            assert len(str(fault)) < 3000, "a sentence that nobody reads"
            return False

    return feed


def read(data: bytes, content_type: ContentType, layout: Layout, kind: str) -> bool:
    """All blocks, each of which is sound."""
    width = None
    for part in formats.records(io.BytesIO(data), content_type, layout, kind):
        assert len(part) > 0, "a block of nothing"
        check_ragged(part)
        if isinstance(part, Rows):
            assert layout.width is None or part.width == layout.width, "a row of another width"
            assert width in (None, part.width), "blocks of several widths"
            width = part.width
            if part.is_sparse:
                assert part.features.indices.size == 0 or part.features.indices.max() < part.width
    return True


def check_ragged(part: object) -> None:
    """Texts are UTF-8 without a NUL, numbers are those of a sequence, and all lie where they are said to."""
    for column in _ragged(part):
        assert column.offsets[0] == 0 and column.offsets[-1] == len(column.values)
        assert (np.diff(column.offsets) >= 0).all()
        if column.values.dtype == np.uint8:
            assert not any("\0" in text for text in column.strings())
        else:
            assert column.values.dtype == np.int32 and (column.values >= 0).all()


def _ragged(part: object) -> Iterator[Ragged]:
    stack: list[object] = [part]
    while stack:
        value = stack.pop()
        if isinstance(value, Ragged):
            yield value
        elif isinstance(value, tuple | dict):
            stack += value.values() if isinstance(value, dict) else value
        elif dataclasses.is_dataclass(value):
            stack += [getattr(value, field.name) for field in dataclasses.fields(value)]


def bomb(size: int) -> bytes:
    """A gzip file of so many zeros."""
    return gzip.compress(bytes(size))


__all__ = ["bodies", "bomb", "read", "seeds", "targets", "types"]
