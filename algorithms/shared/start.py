"""Checks of the model that incremental training starts from."""

from __future__ import annotations

from algoport.algorithms.contract.errors import UserError


def check_alike(**settings: tuple[object, object]) -> None:
    """`UserError` that names every setting which is not that of the model to start from.

    By the setting's name, a pair: what the model has, and what this job's settings say.
    """
    different = [
        f"{name}: must be that of the model to start from, {theirs}; it is {ours}."
        for name, (theirs, ours) in settings.items()
        if theirs != ours
    ]
    if different:
        raise UserError(different)
