"""Algoport. What authors of algorithms import: `from algoport import Algorithm, Channel, Rows, Settings, integer`.

The tree's top level (`algorithms/ training/ serving/ containers/`) is installed below this one name, so that it cannot
meet a user's folder of the same name; the links beside this file say so to every tool alike (see ARCHITECTURE.md).
Nothing is imported before it is asked for: the parent of a job starts within a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algoport.algorithms.contract.algorithm import Algorithm, Answer, Channel, Column, Metric
    from algoport.algorithms.contract.errors import PlatformError, Stopped, UserError
    from algoport.algorithms.contract.group import agreed, interleaved, total
    from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, listing, real, text
    from algoport.algorithms.contract.job import Job
    from algoport.algorithms.contract.model import Model
    from algoport.algorithms.contract.records import Images, Objects, Rows
    from algoport.algorithms.contract.reporter import Reporter
    from algoport.algorithms.contract.source import Memory, Source

_MODULES = {
    "contract.algorithm": ("Algorithm", "Answer", "Channel", "Column", "Metric"),
    "contract.errors": ("PlatformError", "Stopped", "UserError"),
    "contract.group": ("agreed", "interleaved", "total"),
    "contract.hyperparameters": ("Settings", "boolean", "choice", "integer", "listing", "real", "text"),
    "contract.job": ("Job",),
    "contract.model": ("Model",),
    "contract.records": ("Images", "Objects", "Rows"),
    "contract.reporter": ("Reporter",),
    "contract.source": ("Memory", "Source"),
}
_HOME = {name: f"{__name__}.algorithms.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "Algorithm",
    "Answer",
    "Channel",
    "Column",
    "Images",
    "Job",
    "Memory",
    "Metric",
    "Model",
    "Objects",
    "PlatformError",
    "Reporter",
    "Rows",
    "Settings",
    "Source",
    "Stopped",
    "UserError",
    "agreed",
    "boolean",
    "choice",
    "integer",
    "interleaved",
    "listing",
    "real",
    "text",
    "total",
]


def __getattr__(name: str) -> Any:
    """A name of the list above, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
