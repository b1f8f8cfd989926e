"""The table of hyperparameters on an algorithm's page, from their declaration."""

from __future__ import annotations

from algoport.algorithms.contract.setting import Setting
from algoport.containers.jobs.describe import as_setting, sentence, settings
from algoport.containers.pages.markdown import table


def hyperparameters(name: str) -> str:
    """A row for each hyperparameter of an algorithm."""
    rows = [[f"`{setting.name}`", _meaning(setting), setting.allowed, _default(setting)] for setting in settings(name)]
    return table(["hyperparameter", "meaning", "value", "default"], rows)


def _meaning(setting: Setting) -> str:
    tuned = ""
    if setting.tune is not None:
        ends = [as_setting(value) for value in setting.tune]
        span = " to ".join(ends) if setting.kind in ("integer", "real") else ", ".join(ends)
        tuned = f" Tuners search {span}."
    return sentence(setting.meaning) + tuned


def _default(setting: Setting) -> str:
    if setting.required:
        return "*required*"
    return "" if setting.default is None else f"`{as_setting(setting.default)}`"
