"""Algoport. What authors of algorithms import: `from algoport import Algorithm, Channel, Rows, Settings, integer`.

The tree's top level (`algorithms/ training/ serving/ containers/`) is installed below this one name, so that it cannot
meet a user's folder of the same name; the links beside this file say so to every tool alike (see ARCHITECTURE.md).
Nothing is imported before it is asked for: the parent of a job starts within a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algoport.algorithms.contract.algorithm import Algorithm, Answer, Channel, Column, Field, Metric
    from algoport.algorithms.contract.auxiliary import Auxiliary
    from algoport.algorithms.contract.errors import PlatformError, Stopped, UserError
    from algoport.algorithms.contract.group import Alone, Group, agreed, interleaved, total
    from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, listing, real, text
    from algoport.algorithms.contract.job import Job
    from algoport.algorithms.contract.model import Model
    from algoport.algorithms.contract.records.boxes import Boxes
    from algoport.algorithms.contract.records.images import Images
    from algoport.algorithms.contract.records.lines import Lines
    from algoport.algorithms.contract.records.masks import Masks
    from algoport.algorithms.contract.records.objects import Objects
    from algoport.algorithms.contract.records.rows import Rows, nothing
    from algoport.algorithms.contract.records.sequences import Sequences
    from algoport.algorithms.contract.records.table import Table
    from algoport.algorithms.contract.reporter import Reporter
    from algoport.algorithms.contract.source import Memory, Source
    from algoport.algorithms.shared import artifact, scoring
    from algoport.algorithms.shared.features import check_width
    from algoport.algorithms.shared.start import check_alike
    from algoport.algorithms.shared.streaming import Arrays, Facts, Position, resume, stream

_NAMES = {
    "contract.algorithm": ("Algorithm", "Answer", "Channel", "Column", "Field", "Metric"),
    "contract.auxiliary": ("Auxiliary",),
    "contract.errors": ("PlatformError", "Stopped", "UserError"),
    "contract.group": ("Alone", "Group", "agreed", "interleaved", "total"),
    "contract.hyperparameters": ("Settings", "boolean", "choice", "integer", "listing", "real", "text"),
    "contract.job": ("Job",),
    "contract.model": ("Model",),
    "contract.records.boxes": ("Boxes",),
    "contract.records.images": ("Images",),
    "contract.records.lines": ("Lines",),
    "contract.records.masks": ("Masks",),
    "contract.records.objects": ("Objects",),
    "contract.records.rows": ("Rows", "nothing"),
    "contract.records.sequences": ("Sequences",),
    "contract.records.table": ("Table",),
    "contract.reporter": ("Reporter",),
    "contract.source": ("Memory", "Source"),
    "shared.features": ("check_width",),
    "shared.start": ("check_alike",),
    "shared.streaming": ("Arrays", "Facts", "Position", "resume", "stream"),
}
_HOME = {name: f"{__name__}.algorithms.{module}" for module, names in _NAMES.items() for name in names}
# What algorithms share, as modules: `artifact.save`, `scoring.sums`.
_MODULES = ("artifact", "scoring")

__all__ = [
    "Algorithm",
    "Alone",
    "Answer",
    "Arrays",
    "Auxiliary",
    "Boxes",
    "Channel",
    "Column",
    "Facts",
    "Field",
    "Group",
    "Images",
    "Job",
    "Lines",
    "Masks",
    "Memory",
    "Metric",
    "Model",
    "Objects",
    "PlatformError",
    "Position",
    "Reporter",
    "Rows",
    "Sequences",
    "Settings",
    "Source",
    "Stopped",
    "Table",
    "UserError",
    "agreed",
    "artifact",
    "boolean",
    "check_alike",
    "check_width",
    "choice",
    "integer",
    "interleaved",
    "listing",
    "nothing",
    "real",
    "resume",
    "scoring",
    "stream",
    "text",
    "total",
]


def __getattr__(name: str) -> Any:
    """A name of the list above, from the module that defines it."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.algorithms.shared.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
