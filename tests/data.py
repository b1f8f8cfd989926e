"""The real data of `benchmarks.data`; the test that asks for a set that is not installed is skipped and says why."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pytest

from benchmarks import data, texts

P, T = ParamSpec("P"), TypeVar("T")


def skipping(load: Callable[P, T]) -> Callable[P, T]:
    """The loader, with a skip in place of `Missing`."""

    @functools.wraps(load)
    def loaded(*given: P.args, **named: P.kwargs) -> T:
        try:
            return load(*given, **named)
        except data.Missing as missing:
            pytest.skip(str(missing))

    return loaded


digits = skipping(data.digits)
letters = skipping(data.letters)
spambase = skipping(data.spambase)
magic = skipping(data.magic)
wisconsin = skipping(data.wisconsin)
passwords = skipping(data.passwords)
shuttle = skipping(data.shuttle)
diamonds = skipping(data.diamonds)
fashion = skipping(data.fashion)
ratings = skipping(data.ratings)
bbc_texts = skipping(texts.bbc_texts)
bbc_subjects = skipping(texts.bbc_subjects)
