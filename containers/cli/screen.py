"""An endpoint on a terminal: a table that follows it, and what happens in lines above. Elsewhere the lines alone."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from algoport.containers.deployment.endpoint import Endpoint

PACE = 4  # times a second


class Screen:
    """Shows lines as they come, and on a terminal how an endpoint does."""

    def __init__(self) -> None:
        self._endpoint: Endpoint | None = None
        self._live: Any = None
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(get_renderable=self._table, refresh_per_second=PACE, transient=True)

    def watch(self, endpoint: Endpoint) -> None:
        """Follow this one."""
        self._endpoint = endpoint

    def say(self, line: str) -> None:
        """One line."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(box=None, header_style="bold")
        for heading in ("variant", "share", "instances", "in flight", "requests", "refused", "replaced"):
            table.add_column(heading, justify="left" if heading == "variant" else "right")
        for row in self._endpoint.rows() if self._endpoint is not None else ():
            table.add_row(
                row.variant,
                f"{100 * row.share:.0f} %",
                f"{row.ready} of {row.wanted}",
                str(row.in_flight),
                f"{row.requests:,}",
                f"{row.failures:,}",
                str(row.losses),
            )
        return table

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
