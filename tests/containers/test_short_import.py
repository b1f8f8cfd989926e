"""`from algoport import …`: what authors of algorithms write."""

from __future__ import annotations

import inspect
import subprocess
import sys

import algoport


def test_every_name_is_that_of_the_module_which_defines_it() -> None:
    for name in algoport.__all__:
        thing = getattr(algoport, name)
        if inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing):  # and no alias of a type
            assert getattr(thing, "__module__", thing.__name__).startswith("algoport.algorithms."), name
    assert sorted(algoport.__all__) == sorted([*algoport._HOME, *algoport._MODULES])


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    """The parent of a job must be there within a moment."""
    program = "import sys, algoport; print(sorted({'numpy', 'pydantic', 'numba'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)

    assert done.stdout == "[]\n"
