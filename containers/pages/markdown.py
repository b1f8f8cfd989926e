"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table with these cells; the columns whose numbers are in `right` are set flush right."""
    rule = ["--:" if column in right else "---" for column in range(len(head))]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in [head, rule, *rows]
    )
