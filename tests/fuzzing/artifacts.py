"""Every loader of models, archives of models, and lists of files; and the valid ones that serve as seeds."""

from __future__ import annotations

import importlib
import io
import shutil
import tarfile
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import mxnet
from algoport.algorithms.shared.vision.decoding import decode
from algoport.algorithms.shared.vision.masks import decode_mask
from algoport.algorithms.shared.vision.orientation import upright_size
from algoport.training import artifacts
from algoport.training.channels import files, pictures
from tests.conformance.example import Example, written
from tests.fuzzing.fuzzer import Target
from tests.fuzzing.pictures import mask_files, picture_files

HERE = Path(__file__).parents[1] / "algorithms"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # thousands of files a second
SIMPLE = "kmeans"  # whose model stands for any where one is needed
MXNET = sorted((HERE / "shared/fixtures").glob("*.ndarray"))
Feed = Callable[[bytes], bool]


def targets(*only: str) -> Iterator[Target]:
    """One for every file of every model, and for what models and data come in.

    Beside its example, an algorithm's tests give `original/`, files that the original left, each a model by itself, and
    `fuzzing.py`, whose `targets()` are what else it reads.
    """
    for name in only or algorithms.names():
        whole = models(name)
        for path in whole[0]:
            if path.endswith((".onnx", ".txt", ".md")):  # beside the model, and not read
                continue
            yield Target(f"model {name}/{path}", [files[path] for files in whole if path in files], _model(name, path))
        folder = algorithms.folder(name).name
        for original in sorted(HERE.glob(f"{folder}/original/*")):
            yield Target(f"{name} original", [original.read_bytes()], _model(name, original.name, alone=True))
        if (HERE / folder / "fuzzing.py").is_file():
            yield from importlib.import_module(f"tests.algorithms.{folder}.fuzzing").targets()
    yield Target("mxnet", [path.read_bytes() for path in MXNET], _mxnet())
    if picture_files():
        yield Target("picture", picture_files(), _picture)
        yield Target("mask", mask_files(), lambda data: works(lambda: decode_mask(data, "it")))
    some = only[0] if only else SIMPLE
    yield Target("archive", [archive(models(some)[0], form) for form in ("", "gz")], _archive(some))
    yield Target("manifest", [b'[{"prefix":"s3://bucket/"},"a.csv","b/c.csv"]'], _manifest())
    yield Target("list", [b"5\t1.000\tb/2.jpg\r\n\n9\t0\ta.png\n", b"0\t1\t0\ta.png\n"], _list())


@cache
def models(name: str) -> list[dict[str, bytes]]:
    """The files of the models that the algorithm's examples leave."""
    example = Example(name)
    fitted = [example.fit(), *(example.fit_other(*other) for other in example.others()[:3])]
    with tempfile.TemporaryDirectory() as folder:
        return [written(model, Path(folder) / str(number)) for number, model in enumerate(fitted)]


def archive(content: Mapping[str, bytes], form: str = "gz") -> bytes:
    """A tar file of these."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=f"w:{form}") as tar:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def works(work: Callable[[], Any]) -> bool:
    """True where it works, false where a sentence says why not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work()
    except UserError as fault:
        assert str(fault)
        assert len(str(fault)) < 3000, "a sentence that nobody reads"
        return False
    return True


def _model(name: str, path: str, *, alone: bool = False) -> Feed:
    """Loads a model of which one file is fuzzed, and asks it."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    load = algorithms.part(name, "model").Model.load
    requests, options = Example(name).requests()[:3], Example(name).options()
    others = [] if alone else models(name)
    # What a model says of itself may rightly make it slow: a large network, or one of far horizons.
    is_costly = getattr(algorithms.part(name, "example"), "is_costly", lambda model: False)

    def feed(data: bytes) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        kin = others[zlib.crc32(data) % len(others)] if others else {}
        for each, content in ({**kin, path: data}).items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(content)

        def ask() -> None:
            model = load(folder)
            fits = model.width in (None, getattr(requests, "width", None))
            if fits and not is_costly(model):
                model.predict(requests, options)

        return works(ask)

    return feed


def _picture(data: bytes) -> bool:
    """Decodes a picture, which has the size that was read of it before, in gray and in colors."""

    def check() -> None:
        for channels in (1, 3):
            assert decode(data, channels, "it").shape == (*(upright_size(data) or ()), channels)

    return works(check)


def _mxnet() -> Feed:
    path = Path(tempfile.mkdtemp(dir=MEMORY)) / "arrays"

    def feed(data: bytes) -> bool:
        path.write_bytes(data)
        return works(lambda: mxnet.load(path))

    return feed


def _archive(name: str) -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    load = algorithms.part(name, "model").Model.load

    def feed(data: bytes) -> bool:
        (place / "model.tar.gz").write_bytes(data)
        return works(lambda: artifacts.start(place, load))

    return feed


def _manifest() -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    (place / "b").mkdir()
    for name in ("a.csv", "b/c.csv"):
        (place / name).write_bytes(b"1,2\n")

    def feed(data: bytes) -> bool:
        (place / "x.manifest").write_bytes(data)
        return works(lambda: files.shards(place, "train"))

    return feed


def _list() -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    for name in ("train/a.png", "train/b/2.jpg", "lists/x.lst"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"\x89PNG\r\n\x1a\n")

    def feed(data: bytes) -> bool:
        (place / "lists/x.lst").write_bytes(data)
        return works(lambda: pictures.list_pictures(place / "train", "train", place / "lists", "train_lst"))

    return feed
