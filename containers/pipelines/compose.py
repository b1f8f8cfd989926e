"""A pipeline as a file for `docker compose`: a service for each container, and the front before them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from algoport.algorithms.contract.errors import UserError
from algoport.containers.pipelines.description import Pipeline

FIRST_PORT = 8081  # of the first container; SAGEMAKER_BIND_TO_PORT tells each its own
INSIDE = 8080  # of the front, in its container


def compose(pipeline: Pipeline, *, front: str, port: int) -> str:
    """The file. `front`: an image in which algoport is installed. `port`: of this machine."""
    for stage in pipeline.stages:
        if stage.served.image is None:
            raise UserError(f"{stage.name}: a compose file needs an image for each container; say IMAGE=FOLDER.")
    return "".join(f"{line}\n" for line in _lines(pipeline, front, port))


def _lines(pipeline: Pipeline, front: str, port: int) -> Iterator[str]:
    yield "services:"
    words = ["python", "-m", "algoport.containers.pipelines.front", "--port", str(INSIDE)]
    words += ["--direct"] if pipeline.direct else []
    for number, stage in enumerate(pipeline.stages):
        own, served = FIRST_PORT + number, stage.served
        words += ["--stage", f"{stage.name}={stage.name}:{own}"]
        yield f"  {_text(stage.name)}:"
        yield f"    image: {_text(served.image or '')}"
        yield '    command: ["serve"]'
        yield "    environment:"
        for name, value in {**served.environment, "SAGEMAKER_BIND_TO_PORT": str(own)}.items():
            yield f"      {_text(name)}: {_text(value)}"
        if served.model is not None:
            yield "    volumes:"
            place = _text(str(served.model.absolute()))
            yield f"      - {{type: bind, source: {place}, target: /opt/ml/model, read_only: true}}"
    yield "  front:"
    yield f"    image: {_text(front)}"
    yield f"    command: [{', '.join(map(_text, words))}]"
    yield f'    ports: ["{port}:{INSIDE}"]'
    yield f"    depends_on: [{', '.join(_text(stage.name) for stage in pipeline.stages)}]"


def _text(value: str) -> str:
    """A text in YAML, of which JSON's are; a dollar sign is written twice, as compose puts variables in else."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")
