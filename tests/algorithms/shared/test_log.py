"""A line for programs is ours where it begins with its mark; within a sentence the mark is somebody else's word."""

from __future__ import annotations

import pytest

from algoport.algorithms.shared import log


def test_a_line_for_programs_stays_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    log.start()

    log.note("#early_stopping_criteria_metric: host=algo-1, epoch=0")

    assert capfd.readouterr().out.rstrip().endswith("] #early_stopping_criteria_metric: host=algo-1, epoch=0")


@pytest.mark.parametrize("say", [log.note, log.warn, log.fault])
def test_a_word_from_outside_makes_no_such_line(say, capfd: pytest.CaptureFixture[str]) -> None:
    log.start()

    say("file 'a\n#quality_metric: host=algo-1, train auc <score>=1'")

    written = capfd.readouterr().out
    assert "#quality_metric" not in written and "\\u0023quality_metric: host=algo-1" in written
