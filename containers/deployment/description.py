"""What an endpoint is to be: its variants, what each serves, its share of the requests, and between how many instances.

As JSON it goes from the command that changes an endpoint to the process that runs it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.endpoints.server import Served

MOST_VARIANTS, MOST_INSTANCES = 10, 64
ALONE = "AllTraffic"  # the variant of an endpoint that has no other, as SageMaker's clients call it
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model of an endpoint: the folder of a model, an image, or the file of a pipeline."""

    name: str
    served: Served
    pipeline: bool = False  # whether `served.model` is the file of one
    identity: str = ""  # what tells its model from another: a variant that keeps it keeps its instances
    weight: float = 1.0
    lowest: int = 1
    highest: int = 1

    @property
    def place(self) -> str:
        """What a sentence calls the model."""
        return str(self.served.model or self.served.image)


@dataclass(frozen=True, kw_only=True)
class Description:
    """All variants of an endpoint."""

    variants: tuple[Variant, ...]

    def __post_init__(self) -> None:
        faults = list(_faults(self.variants))
        if faults:
            raise UserError(faults)

    def as_json(self) -> list[dict[str, Any]]:
        """For another process on this machine."""
        return [
            {
                "name": variant.name,
                "model": None if variant.served.model is None else str(variant.served.model.absolute()),
                "algorithm": variant.served.algorithm,
                "image": variant.served.image,
                "environment": dict(variant.served.environment),
                "pipeline": variant.pipeline,
                "identity": variant.identity,
                "weight": variant.weight,
                "lowest": variant.lowest,
                "highest": variant.highest,
            }
            for variant in self.variants
        ]

    @classmethod
    def from_json(cls, written: Sequence[Mapping[str, Any]]) -> Description:
        """What `as_json` has made."""
        variants = []
        for one in written:
            served = Served(
                model=None if one["model"] is None else Path(one["model"]),
                algorithm=one["algorithm"],
                image=one["image"],
                environment=one["environment"],
            )
            rest = {name: one[name] for name in ("name", "pipeline", "identity", "weight", "lowest", "highest")}
            variants.append(Variant(served=served, **rest))
        return cls(variants=tuple(variants))


def check_name(what: str, name: str) -> None:
    """`UserError` where nothing can be called that."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{what}: must have 1 to 63 letters and digits, with hyphens between them; it is {name[:100]!r}."
        )


def bounds(text: str) -> tuple[int, int]:
    """Of `--instances`: `2`, or `1..4` between which the number follows the load."""
    match = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", text)
    if match is None:
        raise UserError(f"--instances: must be a number such as 2, or two such as 1..4; it is {text!r}.")
    lowest, highest = int(match[1]), int(match[2] or match[1])
    if not (lowest <= highest and 1 <= highest <= MOST_INSTANCES):
        raise UserError(
            f"--instances: must be 1 to {MOST_INSTANCES}, or two such numbers, the smaller first; it is {text!r}. "
            "The smaller may be 0."
        )
    return lowest, highest


def _faults(variants: Sequence[Variant]) -> Iterator[str]:
    if not 1 <= len(variants) <= MOST_VARIANTS:
        yield f"An endpoint has 1 to {MOST_VARIANTS} variants; here are {len(variants)}."
    names = [variant.name for variant in variants]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"{name}: is given twice; each variant has a name of its own."
    for variant in variants:
        if not _NAME.fullmatch(variant.name):
            yield (
                f"{variant.name!r}: the name of a variant must have 1 to 63 letters and digits, with hyphens between "
                "them."
            )
        if not (math.isfinite(variant.weight) and variant.weight >= 0):
            yield f"{variant.name}: its weight must be a number of at least 0; it is {variant.weight:g}."
    if variants and not any(variant.weight > 0 for variant in variants):
        yield "One variant must have a weight above 0, or no request would be answered."
