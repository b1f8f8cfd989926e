"""Every loader of models, archives of models, and lists of files; and the valid ones that serve as seeds."""

from __future__ import annotations

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
from algoport.training import artifacts
from algoport.training.channels import files, pictures
from tests.conformance.example import Example, written
from tests.fuzzing.fuzzer import Target

HERE = Path(__file__).parents[1] / "algorithms"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # thousands of files a second
Feed = Callable[[bytes], bool]


def targets(*only: str) -> Iterator[Target]:
    """One for every file of every model, and for what models and data come in."""
    for name in only or algorithms.names():
        whole = models(name)
        for path in whole[0]:
            if path.endswith((".onnx", ".txt", ".md")):  # beside the model, and not read
                continue
            yield Target(f"model {name}/{path}", [files[path] for files in whole if path in files], _model(name, path))
    yield Target("mxnet", [(HERE / path).read_bytes() for path in MXNET], _mxnet())
    yield Target("kmeans original", [(HERE / MXNET[0]).read_bytes()], _model("kmeans", "model_algo-1", alone=True))
    if not only or "xgboost" in only:
        yield from _boosted()
    yield Target("archive", [archive(models("kmeans")[0], form) for form in ("", "gz")], _archive())
    yield Target("manifest", [b'[{"prefix":"s3://bucket/"},"a.csv","b/c.csv"]'], _manifest())
    yield Target("list", [b"5\t1.000\tb/2.jpg\r\n\n9\t0\ta.png\n", b"0\t1\t0\ta.png\n"], _list())


MXNET = ("kmeans/original/model_algo-1", "shared/fixtures/named.ndarray")


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


def _sentence(work: Callable[[], Any]) -> bool:
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

    def feed(data: bytes) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        kin = others[zlib.crc32(data) % len(others)] if others else {}
        for each, content in ({**kin, path: data}).items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(content)

        def work() -> None:
            model = load(folder)
            # A network of large pictures or far horizons may take its time: it does what it says.
            size = getattr(model, "height", 1) * getattr(model, "width_", 1)
            ahead = getattr(getattr(model, "plan", None), "prediction_length", 1)
            if model.width in (None, getattr(requests, "width", None)) and size <= 1 << 12 and ahead <= 1 << 8:
                model.predict(requests, options)

        return _sentence(work)

    return feed


def _mxnet() -> Feed:
    path = Path(tempfile.mkdtemp(dir=MEMORY)) / "arrays"

    def feed(data: bytes) -> bool:
        path.write_bytes(data)
        return _sentence(lambda: mxnet.load(path))

    return feed


def _boosted() -> Iterator[Target]:
    """The library's files, in both forms."""
    import xgboost

    from algoport.algorithms.xgboost import interchange

    rows = Example("xgboost").rows()["train"]
    matrix = xgboost.DMatrix(rows.dense(), label=rows.label)
    facts = ({}, {"booster": "dart", "rate_drop": 0.5}, {"booster": "gblinear"}, {"num_parallel_tree": 2})
    boosters = [xgboost.train({"max_depth": 2, "nthread": 1, **some}, matrix, 2) for some in facts]
    for form in ("json", "ubj"):
        seeds = [bytes(booster.save_raw(form)) for booster in boosters]

        def feed(data: bytes) -> bool:
            return _sentence(lambda: interchange.write(interchange.read(data, "xgboost-model")))

        yield Target(f"xgboost {form}", seeds, feed)


def _archive() -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    load = algorithms.part("kmeans", "model").Model.load

    def feed(data: bytes) -> bool:
        (place / "model.tar.gz").write_bytes(data)
        return _sentence(lambda: artifacts.start(place, load))

    return feed


def _manifest() -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    (place / "b").mkdir()
    for name in ("a.csv", "b/c.csv"):
        (place / name).write_bytes(b"1,2\n")

    def feed(data: bytes) -> bool:
        (place / "x.manifest").write_bytes(data)
        return _sentence(lambda: files.shards(place, "train"))

    return feed


def _list() -> Feed:
    place = Path(tempfile.mkdtemp(dir=MEMORY))
    for name in ("train/a.png", "train/b/2.jpg", "lists/x.lst"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"\x89PNG\r\n\x1a\n")

    def feed(data: bytes) -> bool:
        (place / "lists/x.lst").write_bytes(data)
        return _sentence(lambda: pictures.listed(place / "train", "train", place / "lists", "train_lst"))

    return feed
