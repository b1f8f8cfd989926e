"""A program of the user's own as a job: its hyperparameters as arguments, its folders in the variables that scripts for
the original platform read."""

from __future__ import annotations

import json

from algoport.algorithms.shared import machine
from algoport.containers.jobs.description import Description

RESERVED = ("sagemaker_", "_")  # beginnings of names that are the platform's


def words(description: Description) -> tuple[str, ...]:
    """The command, with a pair `--NAME VALUE` for each hyperparameter."""
    given = _given(description)
    return (*description.program, *(word for name, value in given.items() for word in (f"--{name}", value)))


def environment(description: Description, host: str) -> dict[str, str]:
    """The variables `SM_*` (contract, section 3.3) that do not need the training toolkit."""
    base = description.base(host)
    given = _given(description)
    variables = {
        "SM_MODEL_DIR": str(base / "model"),
        "SM_INPUT_DIR": str(base / "input"),
        "SM_INPUT_CONFIG_DIR": str(base / "input" / "config"),
        "SM_OUTPUT_DIR": str(base / "output"),
        "SM_OUTPUT_DATA_DIR": str(base / "output" / "data"),
        "SM_CHANNELS": json.dumps(sorted(channel.name for channel in description.channels)),
        "SM_CURRENT_HOST": host,
        "SM_HOSTS": json.dumps(list(description.host_names)),
        "SM_HPS": json.dumps(given),
        "SM_NUM_CPUS": str(max(1, int(description.limits.cpus or machine.cores()))),
    }
    data = base / "input" / "data"
    variables |= {f"SM_CHANNEL_{_upper(one.name)}": str(data / one.name) for one in description.channels}
    return variables | {f"SM_HP_{_upper(name)}": value for name, value in given.items()}


def _given(description: Description) -> dict[str, str]:
    return {name: value for name, value in description.hyperparameters.items() if not name.startswith(RESERVED)}


def _upper(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")
