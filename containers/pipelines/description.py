"""Which containers a pipeline has, as the `Containers` of a CreateModel request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.containers.endpoints.server import Served

FEWEST, MOST = 2, 15
_HOSTNAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")


class _Container(BaseModel):
    """One entry; without an image its model is served by what is installed here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    Image: str | None = None
    ModelDataUrl: str | None = None
    Environment: Mapping[str, str] = {}
    ContainerHostname: str | None = None
    Mode: Literal["SingleModel"] = "SingleModel"


class _Execution(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    Mode: Literal["Serial", "Direct"] = "Serial"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ModelName: str = "pipeline"
    Containers: Annotated[list[_Container], Field(min_length=FEWEST, max_length=MOST)]
    InferenceExecutionConfig: _Execution = _Execution()
    ExecutionRoleArn: str | None = None
    EnableNetworkIsolation: bool = False
    Tags: list[Any] | None = None


@dataclass(frozen=True)
class Stage:
    """One container, by the name that sentences call it by."""

    name: str
    served: Served


@dataclass(frozen=True)
class Pipeline:
    """Containers in their order. `direct`: each is asked alone, by its name."""

    stages: tuple[Stage, ...]
    direct: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        """What tells its answers from another's."""
        return {stage.name: stage.served.identity for stage in self.stages}

    def with_environment(self, more: Mapping[str, str]) -> Pipeline:
        """The same, whose containers are all given that, too."""
        stages = []
        for stage in self.stages:
            served = stage.served
            changed = Served(
                model=served.model,
                algorithm=served.algorithm,
                image=served.image,
                environment={**served.environment, **more},
            )
            stages.append(Stage(stage.name, changed))
        return Pipeline(tuple(stages), self.direct)


Resolve = Callable[[str | None, str | None], Served]  # from an image and the place of a model


def read(path: Path, resolve: Resolve) -> Pipeline:
    """The pipeline of a file; `UserError` with a sentence for each field that cannot be."""
    try:
        written = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON: {error}.") from None
    return described(written, resolve, str(path))


def described(written: Any, resolve: Resolve, where: str) -> Pipeline:
    """The pipeline of a CreateModel request."""
    try:
        made = _Request.model_validate(written)
    except ValidationError as error:
        raise UserError([f"{where}: {_sentence(fault)}" for fault in error.errors()]) from None
    direct = made.InferenceExecutionConfig.Mode == "Direct"
    faults = list(_faults(made, direct))
    if faults:
        raise UserError([f"{where}: {fault}" for fault in faults])
    stages = []
    for number, one in enumerate(made.Containers, 1):
        served = resolve(one.Image, one.ModelDataUrl)
        given = Served(
            model=served.model, algorithm=served.algorithm, image=served.image, environment=dict(one.Environment)
        )
        stages.append(Stage(one.ContainerHostname or f"container-{number}", given))
    return Pipeline(tuple(stages), direct)


def _faults(made: _Request, direct: bool) -> Iterator[str]:
    names = [one.ContainerHostname or f"container-{number}" for number, one in enumerate(made.Containers, 1)]
    for number, one in enumerate(made.Containers, 1):
        if one.ContainerHostname is not None and not _HOSTNAME.fullmatch(one.ContainerHostname):
            yield (
                f"Containers.{number}.ContainerHostname: must have 1 to 63 letters, digits and hyphens between them; "
                f"it is {one.ContainerHostname!r}."
            )
        if direct and one.ContainerHostname is None:
            yield f"Containers.{number}.ContainerHostname: is required where containers are asked directly."
        if one.Image is None and one.ModelDataUrl is None:
            yield f"Containers.{number}: needs an Image, or a ModelDataUrl, the folder of a model."
    yield from (f"ContainerHostname: {name} is given twice." for name in sorted(set(names)) if names.count(name) > 1)


def _sentence(fault: Any) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"]) or "the request"
    if fault["type"] == "extra_forbidden":
        return f"{place}: is no field of a pipeline."
    if fault["type"] == "missing":
        return f"{place}: is required."
    if fault["type"] in ("too_short", "too_long"):
        return f"{place}: a pipeline has {FEWEST} to {MOST} containers; here are {len(fault['input'])}."
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}; it is {str(fault['input'])[:100]!r}."
