"""What records are answered by, as the user says it: a model, an image, a pipeline, an endpoint that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli.answer import algorithm_of, model_folder
from algoport.containers.deployment.description import ALONE, Description, Variant
from algoport.containers.endpoints.server import Elsewhere, Endpoint, Served, Server, is_healthy
from algoport.containers.pipelines import description
from algoport.containers.pipelines.description import Pipeline
from algoport.containers.pipelines.started import Started


@dataclass(frozen=True)
class Target:
    """Something that answers: an endpoint that runs, or a model for which servers are started."""

    url: str | None = None
    served: Served | None = None
    pipeline: Pipeline | None = None

    @classmethod
    def of(cls, text: str, image: str | None, algorithm: str | None, environment: Mapping[str, str]) -> Target:
        """From the words of a command. `UserError` where there is nothing of the kind."""
        parts = urlsplit(text)
        if parts.scheme in ("http", "https"):
            if image or algorithm:
                raise UserError(
                    f"{text}: is an endpoint that runs; --image and --algorithm are for the folder of a model."
                )
            url = text.rstrip("/").removesuffix("/invocations")
            if not is_healthy(url):
                raise UserError(f"{url}: its /ping does not answer 200; is the endpoint running?")
            return cls(url=url)
        if Path(text).is_file():
            if image or algorithm:
                raise UserError(f"{text}: is a pipeline, which says itself what its containers are.")
            return cls(pipeline=pipeline_of([text]).with_environment(environment))
        model = model_folder(Path(text))
        if image is not None:
            return cls(served=Served(model=model, image=image, environment=environment))
        return cls(served=Served(model=model, algorithm=algorithm_of(model, algorithm), environment=environment))

    @property
    def identity(self) -> dict[str, Any]:
        """What tells its answers from another's."""
        if self.pipeline is not None:
            return self.pipeline.identity
        return {"endpoint": self.url} if self.served is None else self.served.identity

    @contextmanager
    def endpoints(self, count: int, logs: Path) -> Iterator[list[Endpoint]]:
        """So many of them, healthy while entered: servers are started, what runs is asked whether it is."""
        if self.served is None and self.pipeline is None:
            assert self.url is not None
            yield [Elsewhere(self.url)] * count
            return
        served, row = self.served, self.pipeline
        with ExitStack() as stack:

            def start(number: int) -> Endpoint:
                server: Endpoint
                if row is not None:
                    server = Started(row, logs / f"pipeline-{number}", share=count)
                else:
                    assert served is not None
                    server = Server(served, logs / f"server-{number}.log", share=count)
                stack.callback(server.close)
                return server

            with ThreadPoolExecutor(count) as pool:
                servers = list(pool.map(start, range(1, count + 1)))
            yield servers


def pipeline_of(words: Sequence[str]) -> Pipeline:
    """From the words of a command: a file with a CreateModel request, or a folder or IMAGE=FOLDER a container."""
    if len(words) == 1 and Path(words[0]).is_file():
        return description.read(Path(words[0]), _served)
    pairs = [text.partition("=") if "=" in text else ("", "", text) for text in words]
    written = {"Containers": [{"Image": image or None, "ModelDataUrl": folder or None} for image, _, folder in pairs]}
    return description.described(written, _served, "The pipeline")


def variants_of(words: Sequence[str], instances: tuple[int, int], environment: Mapping[str, str]) -> Description:
    """From the words of a command: [NAME=]MODEL[:WEIGHT] for each. `UserError` where there is nothing of the kind."""
    made = []
    for text in words:
        name, equals, rest = text.partition("=")
        if not equals:
            name, rest = ALONE if len(words) == 1 else "", text
        if not name:
            raise UserError(
                f"{text}: must be NAME=MODEL[:WEIGHT], as an endpoint of several variants tells them apart."
            )
        place, weight = _weighted(rest)
        made.append(_variant(name, place, weight, instances, environment))
    return Description(variants=tuple(made))


def _weighted(text: str) -> tuple[str, float]:
    """A place, and the number behind its last colon, where it has one and is not called so."""
    place, colon, number = text.rpartition(":")
    if not colon or Path(text).exists():
        return text, 1.0
    try:
        return place, float(number)
    except ValueError:
        return text, 1.0


def _variant(
    name: str, place: str, weight: float, instances: tuple[int, int], environment: Mapping[str, str]
) -> Variant:
    image, equals, folder = place.rpartition("=")
    row: Pipeline | None = None
    if equals and not Path(place).exists():
        served = Served(model=model_folder(Path(folder)), image=image, environment=environment)
    elif Path(place).is_file():
        row, served = pipeline_of([place]), Served(model=Path(place).absolute(), environment=environment)
    else:
        model = model_folder(Path(place))
        served = Served(model=model, algorithm=algorithm_of(model, None), environment=environment)
    identity = served.identity if row is None else row.identity
    return Variant(
        name=name,
        served=served,
        pipeline=row is not None,
        identity=json.dumps([identity, dict(environment)], sort_keys=True, default=str),
        weight=weight,
        lowest=instances[0],
        highest=instances[1],
    )


def _served(image: str | None, place: str | None) -> Served:
    """What one container of a pipeline serves."""
    if place is None:
        return Served(image=image)
    model = model_folder(Path(place.removeprefix("file://")))
    return Served(model=model, image=image, algorithm=None if image else algorithm_of(model, None))
