"""What every kind of records promises: that cutting, ordering, joining and sharing out keep each record as it is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Answer, Channel, kinds
from algoport.algorithms.contract.joining import concatenate
from algoport.training import formats
from tests.records import generated, values

LAPS = 20


@pytest.mark.parametrize("kind", kinds.names())
def test_an_empty_part_changes_nothing_that_it_is_joined_to(kind: str) -> None:
    for records in generated(kind, LAPS):
        nothing = kinds.find(kind).empty(records.width)

        whole = concatenate([nothing, records, records[:0], nothing])

        assert len(nothing) == 0 and values(nothing) == []
        assert values(whole) == values(records)
        assert whole.width == records.width


@pytest.mark.parametrize("kind", kinds.names())
def test_ranges_are_those_of_the_records(kind: str) -> None:
    for records in generated(kind, LAPS):
        for cut in (slice(0, 0), slice(1, 3), slice(None, None, 2), slice(1, None, 3), slice(2, 1), slice(0, 99)):
            assert values(records[cut]) == values(records)[cut]
            assert len(records[cut]) == len(values(records)[cut])


@pytest.mark.parametrize("kind", kinds.names())
def test_records_are_taken_in_any_order_and_more_than_once(kind: str) -> None:
    random = np.random.default_rng(0)
    for records in generated(kind, LAPS):
        order = random.integers(0, len(records), random.integers(0, 2 * len(records) + 1))

        assert values(records.take(order)) == [values(records)[number] for number in order]


@pytest.mark.parametrize("kind", kinds.names())
@pytest.mark.parametrize("size", [1, 2, 3])
def test_shared_out_and_joined_again_they_are_all_there(kind: str, size: int) -> None:
    """Record i is member i mod n's, which is how a batch of replicated data is shared out."""
    for records in generated(kind, LAPS):
        parts = [records[rank::size] for rank in range(size)]
        order = np.argsort(np.concatenate([np.arange(len(records))[rank::size] for rank in range(size)]))

        assert values(concatenate(parts).take(order)) == values(records)


@pytest.mark.parametrize("kind", kinds.names())
def test_joining_what_was_cut_gives_back_the_whole(kind: str) -> None:
    random = np.random.default_rng(1)
    for records in generated(kind, LAPS):
        cut = int(random.integers(0, len(records) + 1))

        assert values(concatenate([records[:cut], records[cut:]])) == values(records)
        assert records.nbytes >= records[:cut].nbytes >= 0


@pytest.mark.parametrize("kind", kinds.names())
def test_a_kind_says_all_that_the_platform_asks(kind: str) -> None:
    declared = kinds.find(kind)

    assert declared.name == kind and declared.noun and declared.schema
    assert len(formats.modules(kind)) == len(declared.formats) > 0
    names = [module.MEDIA[0] for module in formats.modules(kind)]
    assert len(set(names)) == len(names)
    assert all(formats.find(media, kind) for media in (*declared.endings.values(), *declared.framed))
    for records in generated(kind, LAPS):
        assert len(records) > 0 and records.nbytes > 0
        assert (records.width > 0) == bool(declared.columns)
        assert declared.common_width(records) in (0, records.width)
        assert declared.spread(records) >= 0
        assert declared.window(records, 1 << 20) is None or declared.window(records, 1 << 20) > 0
    if declared.sample is not None:
        assert len(declared.sample(3)) == 1 and declared.sample(3).width == 3


@pytest.mark.parametrize("make", [lambda kind: Channel(name="a", meaning="b", kind=kind), None])
def test_a_kind_that_there_is_not_is_refused_with_those_there_are(make: Any) -> None:
    make = make or (lambda kind: Answer(columns=(), kind=kind))

    with pytest.raises(ValueError, match=r"^kind: must be one of .*images, .*rows.*, file; it is 'row'\.$"):
        make("row")

    with pytest.raises(KeyError, match="no kind of records 'row'"):
        kinds.find("row")


def test_declaring_a_channel_loads_no_numpy() -> None:
    """A process that only reports an error starts within a moment."""
    program = (
        "import sys; from algoport.algorithms.contract import Channel; Channel(name='a', meaning='b', kind='objects');"
        "print('numpy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
