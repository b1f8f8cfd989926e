"""What a job would cost where machines are rented: a table of prices, ours or the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.home import Home

VARIABLE = "ALGOPORT_PRICES"
OURS = Path(__file__).with_name("prices.json")
GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A machine that can be rented."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hour: float  # price
    cores: float
    memory: float  # GiB


@dataclass(frozen=True, kw_only=True)
class Prices:
    """A table of them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    currency: str = "USD"
    note: str = ""
    spot: float = 0.3  # what an hour that may be interrupted costs, as a share of one that may not
    instances: dict[str, Instance] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home) -> Prices:
        """The table of `ALGOPORT_PRICES`, else `prices.json` in the user's folder, else ours."""
        given = os.environ.get(VARIABLE)
        path = Path(given) if given else home.prices if home.prices.exists() else OURS
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> Prices:
        """A table from a file; `UserError` says what is wrong in it."""
        try:
            return TypeAdapter(Prices).validate_json(path.read_bytes())
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"])) or "the table"
            raise UserError(f"{path}: {place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}.") from None

    def smallest(self, cores: float, memory: float) -> str | None:
        """The cheapest instance of so many cores and bytes; None where there is none as large."""
        fitting = [
            (one.hour, name)
            for name, one in self.instances.items()
            if one.cores >= cores and one.memory * GIB >= memory
        ]
        return min(fitting)[1] if fitting else None
