"""Tuning jobs of shell programs, from the request to the report, and every other way in which one ends."""

from __future__ import annotations

import json

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.store import TUNING
from algoport.containers.tuning import history, submission
from algoport.containers.tuning.controller import Tunings
from algoport.containers.tuning.request import Resource
from algoport.containers.tuning.space import Range
from tests.containers.tuning.conftest import Search

# An epoch a line, and then it waits: only who is stopped ends.
EPOCHS = "trap 'exit 0' TERM; for e in 1 2 3 4; do echo loss=$SM_HP_X; done; {last}"


def test_a_search_runs_its_jobs_and_reports_the_best(search: Search) -> None:
    tuning = search.make(jobs=12)

    state, why, jobs = search.run(tuning)

    assert (state, why, len(jobs)) == ("Completed", "MaxNumberOfTrainingJobs", 12)
    assert all(job.objective == job.values["x"] for job in jobs)
    folder = tuning.job.description.folder
    report = json.loads((folder / "report.json").read_text())
    best = min(jobs, key=lambda job: job.objective or 0)
    assert report["BestTrainingJob"]["TrainingJobName"] == best.name == (folder / "best").resolve().name
    assert report["TrainingJobStatusCounters"]["Completed"] == 12 and report["Importance"] == {"x": 1.0}
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_another_control_process_goes_on_with_the_same_values(search: Search) -> None:
    """A new controller before every look."""
    tuning = search.make(jobs=6, parallel=1, seed=3)

    def another() -> None:
        search.control.controller = search.control.another()
        search.tunings = Tunings(search.control.store, search.control.controller)

    search.control.store.submit(TUNING, "t", tuning.to_json())
    _, _, jobs = search.end(tuning, another)
    _, _, others = search.run(search.make("u", jobs=6, parallel=2, seed=3))

    assert [job.values for job in jobs] == [job.values for job in others]
    assert [job.number for job in jobs] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("criteria", "why"),
    [
        ({"target": 1.0}, "TargetObjectiveMetricValue"),
        ({"patience": 3}, "BestObjectiveNotImproving"),
        ({"runtime": 0.3}, "MaxRuntimeExceeded"),
    ],
)
def test_criteria_end_it(search: Search, criteria: dict, why: str) -> None:
    state, because, jobs = search.run(search.make(jobs=40, **criteria))

    assert (state, because) == ("Stopped" if why == "MaxRuntimeExceeded" else "Completed", why)
    assert len(jobs) < 40 and not any(job.running for job in jobs)


def test_a_grid_tries_every_combination(search: Search) -> None:
    ranges = (Range(name="x", kind="Categorical", values=("3", "1", "2")),)

    state, _, jobs = search.run(search.make(jobs=3, strategy="Grid", ranges=ranges))

    assert state == "Completed" and sorted(job.objective or 0 for job in jobs) == [1, 2, 3]


def test_weak_jobs_are_stopped_early(search: Search) -> None:
    last = "case $SM_HP_X in 0.9) sleep 100 & wait;; esac"
    values = ("0.1", "0.2", "0.3", "0.9")
    ranges = (Range(name="x", kind="Categorical", values=values),)

    _, _, jobs = search.run(
        search.make(script=EPOCHS.format(last=last), jobs=4, parallel=1, strategy="Grid", ranges=ranges, early=True)
    )

    assert [(job.state, job.secondary) for job in jobs] == [("Completed", "Completed")] * 3 + [
        ("Stopped", "EarlyStopping")
    ]
    assert jobs[3].objective == 0.9, "its value counts"


def test_hyperband_stops_weak_jobs_itself(search: Search) -> None:
    script = EPOCHS.format(last="sleep 0.5 & wait")
    tuning = search.make(script=script, jobs=9, strategy="Hyperband", resource=Resource(low=1, high=9))

    _, _, jobs = search.run(tuning)

    assert {job.secondary for job in jobs} == {"Completed", "EarlyStopping"}


def test_a_search_all_of_whose_jobs_fail_fails_with_their_words(search: Search) -> None:
    tuning = search.make(script="echo 'ClientError: no' > $SM_OUTPUT_DIR/failure; exit 2", jobs=20, parallel=1)

    state, why, jobs = search.run(tuning)

    assert (state, why, len(jobs)) == ("Failed", "AllJobsFailed", 3)
    row = search.control.store.get(TUNING, "t")
    assert row is not None and row.outcome["failure"] == "ClientError: no\n"


def test_one_that_is_stopped_goes_on_later(search: Search) -> None:
    tuning = search.make(jobs=4)
    search.control.store.submit(TUNING, "t", tuning.to_json())
    search.control.store.ask_to_stop(TUNING, "t", "Stopped")
    assert search.end(tuning)[:2] == ("Stopped", "Stopped")

    assert search.control.store.reopen(TUNING, "t", tuning.to_json())

    state, _, jobs = search.end(tuning)
    assert state == "Completed" and len(jobs) == 4


def test_a_child_knows_what_its_parents_have_found_out(search: Search) -> None:
    store = search.control.store
    _, _, jobs = search.run(search.make("parent"))
    same = search.make("child", parents=("parent",))
    history.check(store, same)

    assert [trial.objective for trial in history.parents(store, same)] == [job.objective for job in jobs]
    other = search.make("child", parents=("parent",), warm="TransferLearning")
    (first,) = history.best_of_parents(store, other, 1)
    assert first == min(jobs, key=lambda job: job.objective or 0).values

    with pytest.raises(UserError, match="the objective must be that of 'parent', Minimize loss; it is Maximize loss"):
        history.check(store, search.make("child", parents=("parent",), goal="Maximize"))
    with pytest.raises(UserError, match="there is no tuning job 'nobody'"):
        history.check(store, search.make("child", parents=("nobody",)))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"jobs": 0}, "jobs: must be from 1 to 10,000; it is 0."),
        ({"strategy": "Grid"}, "Grid search is for categorical ranges; these are none: x."),
        ({"strategy": "Hyperband"}, "Hyperband needs the most epochs of a job: as MaxResource, or --max-resource."),
        ({"patience": 1}, "patience: must be at least 3 jobs; it is 1."),
        ({"objective": "gain"}, "objective: 'gain' must be one of the metrics that are defined; there are loss."),
        ({"name": "a b"}, "name: must have 1 to 32 letters"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_job(search: Search, more: dict, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        submission.checked(search.control.store, search.make(**more))

    assert caught.value.findings[0].startswith(sentence)
