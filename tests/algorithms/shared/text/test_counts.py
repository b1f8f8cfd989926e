"""Documents as counts: what is refused, by its document."""

from __future__ import annotations

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.text.counts import Counts, check


@pytest.mark.parametrize(("count", "said"), [(-1, "-1"), (np.nan, "nan"), (np.inf, "inf"), (2e9, "2e+09")])
def test_what_is_no_count_is_named_with_its_document(count: float, said: str) -> None:
    rows = np.ones((3, 4), np.float32)
    rows[1, 2] = count

    with pytest.raises(UserError) as error:
        check(Counts.of(Rows(features=rows)), "Channel 'train': ", 10)

    assert f"document 12 has word 2, counted from 0, {said} times" in str(error.value)
