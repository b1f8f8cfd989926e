"""The lines that programs look for, and the files that are left."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from algoport import algorithms
from algoport.algorithms.contract import Algorithm, Answer, Metric
from algoport.training import metrics, tables


def algorithm(**more) -> Algorithm:
    return Algorithm(
        name="x",
        title="X",
        summary="",
        problem="",
        source="",
        channels=(),
        metrics=(
            Metric(name="test:msd", goal="minimize", meaning=""),
            Metric(name="train:f1 (macro)", goal="maximize", meaning="", kind="score"),
        ),
        answer=Answer(columns=(), accepts=(), responses=()),
        log_name="X/Y",
        **more,
    )


def matched_lines(text: str, name: str, **more) -> list[str]:
    (regex,) = [entry["Regex"] for entry in metrics.definitions(algorithm(**more)) if entry["Name"] == name]
    assert len(regex) <= 500
    return re.findall(regex, text)


@pytest.mark.parametrize("where", [{}, {"epoch": 3}, {"epoch": 12, "batch": 7}])
@pytest.mark.parametrize("value", [0.1, 1e-300, -7.25, 1e22, float("inf"), float("nan")])
def test_the_regex_of_a_metric_finds_its_lines_and_no_others(tmp_path, capfd, where, value):
    report = metrics.Metrics(algorithm(), "algo-1", tmp_path).report

    report({"test:msd": value, "train:f1 (macro)": np.float32(0.5), "train:msd": 9.0}, **where)

    text = capfd.readouterr().out
    assert matched_lines(text, "test:msd") == [repr(value)]
    assert matched_lines(text, "train:f1 (macro)") == ["0.5"]
    assert float(matched_lines(text, "test:msd")[0]) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "value"), [("train:loss", "1.0"), ("train:loss:final", "2.0"), ("train:f_beta", "3.0")]
)
def test_metrics_that_share_a_name_in_the_log_or_have_one_that_varies_are_distinguished(tmp_path, capfd, name, value):
    definitions = (
        Metric(name="train:loss", goal="minimize", meaning="", written="*_objective", epochs=True),
        Metric(name="train:loss:final", goal="minimize", meaning="", written="*_objective", epochs=False),
        Metric(name="train:f_beta", goal="maximize", meaning="", written="f_*", epochs=False, kind="score"),
    )
    ours = metrics.Metrics(replace(algorithm(), metrics=definitions), "algo-1", tmp_path)

    ours.report({"train:loss": 1.0}, epoch=4, written={"train:loss": "mse_objective"})
    ours.report({"train:loss:final": 2.0}, written={"train:loss:final": "mse_objective"})
    ours.report({"train:f_beta": 3.0}, written={"train:f_beta": "f_0.500"})

    text = capfd.readouterr().out
    assert "epoch=4, train mse_objective <loss>=1.0" in text and "train f_0.500 <score>=3.0" in text
    regexes = {entry["Name"]: entry["Regex"] for entry in metrics.definitions(ours.algorithm)}
    assert re.findall(regexes[name], text) == [value]
    assert list(ours.latest) == ["train:loss", "train:loss:final", "train:f_beta"]


def test_figures_stand_in_a_line_of_metrics_with_what_they_are_of(tmp_path, capfd):
    metrics.Metrics(algorithm(), "algo-1", tmp_path).figures({"train_mse": 0.5}, epoch=0, model=3)

    data = json.loads(capfd.readouterr().out.removeprefix("#metrics "))
    assert data["Dimensions"] == {"Algorithm": "X/Y", "Host": "algo-1", "Operation": "training", "epoch": 0, "model": 3}
    assert data["Metrics"] == {"train_mse": {"sum": 0.5, "count": 1, "min": 0.5, "max": 0.5}}


def test_a_template_of_its_own_has_a_regex_of_its_own(tmp_path, capfd):
    line = "[0]\t{channel}-{metric}:{value}"
    metrics.Metrics(algorithm(quality_line=line), "algo-1", tmp_path).report({"test:msd": 2.5})

    assert matched_lines(capfd.readouterr().out, "test:msd", quality_line=line) == ["2.5"]


def test_epoch_and_channel_can_be_written_with_capitals(tmp_path, capfd):
    line = "{Epoch}{Channel}-{metric}={value:.6f}"
    metrics.Metrics(algorithm(quality_line=line), "algo-1", tmp_path).report({"test:msd": 2.5}, epoch=3)

    text = capfd.readouterr().out
    assert text == "Epoch[3] Test-msd=2.500000\n"
    assert matched_lines(text, "test:msd", quality_line=line) == ["2.500000"]


def test_figures_of_a_batch_and_of_an_epoch_share_a_name_and_no_line(tmp_path, capfd):
    """Where a line has no comma behind its batch."""
    line = "{epoch}{Batch}{channel} {metric} <{kind}>={value}"
    definitions = (
        Metric(name="train:rmse", goal="minimize", meaning="", epochs=True, batches=True),
        Metric(name="train:rmse:epoch", goal="minimize", meaning="", written="rmse", epochs=True, batches=False),
    )
    ours = metrics.Metrics(replace(algorithm(quality_line=line), metrics=definitions), "algo-1", tmp_path)

    ours.report({"train:rmse": 2.5}, epoch=3, batch=40)
    ours.report({"train:rmse:epoch": 1.5}, epoch=3)

    text = capfd.readouterr().out
    assert text == "epoch=3, batch=40 train rmse <loss>=2.5\nepoch=3, train rmse <loss>=1.5\n"
    values = [re.findall(entry["Regex"], text) for entry in metrics.definitions(ours.algorithm)]
    assert values == [["2.5"], ["1.5"]]


@pytest.mark.parametrize("viewer", ["\t", "#011"])
def test_all_figures_of_a_round_can_stand_in_one_line(tmp_path, capfd, viewer):
    """As the tuning service knows them, which sees a tab as #011."""
    shape = {"round_line": "[{round}]{figures}", "quality_line": "\t{channel}-{metric}:{value:.5f}"}
    ours = metrics.Metrics(algorithm(**shape), "algo-1", tmp_path)

    ours.report({"train:f1 (macro)": 0.25, "test:msd": 2.0}, epoch=3)

    text = capfd.readouterr().out
    assert text == "[3]\ttrain-f1 (macro):0.25000\ttest-msd:2.00000\n"
    assert matched_lines(text.replace("\t", viewer), "test:msd", **shape) == ["2.00000"]
    assert matched_lines(text.replace("\t", viewer), "train:f1 (macro)", **shape) == ["0.25000"]


def test_every_algorithm_has_a_regex_for_each_of_its_metrics():
    for name in algorithms.names():
        declared = algorithms.find(name)
        assert [entry["Name"] for entry in metrics.definitions(declared)] == [m.name for m in declared.metrics]


def test_only_the_first_member_prints_and_keeps(tmp_path, capfd):
    second = metrics.Metrics(algorithm(), "algo-2", tmp_path, first=False)

    second.report({"test:msd": 1.0})
    second.keep("a.csv", {"a": [1]})
    second.close({})

    assert "#quality_metric" not in capfd.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_files_hold_the_last_values_and_the_history(tmp_path, capfd):
    ours = metrics.Metrics(algorithm(), "algo-1", tmp_path / "data")
    with ours.phase("training"):
        ours.report({"test:msd": 3.0}, epoch=1)
        ours.report({"test:msd": float("nan")}, epoch=2)
    ours.used("train", 10, None)
    ours.passed("train", 10, 2.0)

    ours.close({"k": 3})

    document = json.loads((tmp_path / "data/metrics.json").read_text())
    assert document["metrics"]["test:msd"] == {"value": None, "goal": "minimize"}
    assert [entry["value"] for entry in document["history"]] == [3.0, None]
    assert document["rows"] == {"train": 10} and document["hyperparameters"] == {"k": 3}
    assert (tmp_path / "data/metrics.csv").read_text().splitlines()[0] == "time,epoch,batch,metric,value"
    out = capfd.readouterr().out
    assert "#throughput_metric: host=algo-1, train throughput=5.0 records/second" in out
    (whole,) = [json.loads(line[9:]) for line in out.splitlines() if line.startswith("#metrics ")]
    assert whole["Metrics"]["training.time"]["count"] == 1


def test_progress_says_how_fast_and_how_long_still(tmp_path, capfd, monkeypatch):
    from algoport.training import log

    log.start()
    monkeypatch.setenv("ALGOPORT_PROGRESS_INTERVAL", "0")
    ours = metrics.Metrics(algorithm(), "algo-1", tmp_path, epochs=4)

    ours.used("train", 500, 0.5)
    ours.progress(1, 4)

    out = capfd.readouterr().out
    assert re.search(r"INFO \d+\] epoch 1 of 4, 500 train rows, [\d,]+ rows/s, about 0:00:00 left", out)
    assert "#progress_metric: host=algo-1, completed 25.0 % of epochs" in out


def test_progress_and_throughput_count_the_same_examples_where_records_are_in_memory(tmp_path, capfd, monkeypatch):
    """Of 414 series in memory, epochs of 1,000 windows each: no line tells of the series that were read once."""
    from algoport.training import log

    log.start()
    monkeypatch.setenv("ALGOPORT_PROGRESS_INTERVAL", "0")
    now = [0.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    ours = metrics.Metrics(algorithm(), "algo-1", tmp_path, epochs=4)
    reporter = ours.reporter()
    with ours.phase("training"):
        now[0] = 0.001
        ours.used("train", 414, 1.0)
        capfd.readouterr()
        for epoch in (1, 2):
            now[0] = 2.0 * epoch
            reporter.examples(1000, epochs=epoch)
            reporter.throughput(1000, 2.0)

    out = capfd.readouterr().out
    assert re.findall(r"epoch (\d) of 4, ([\d,]+) train rows, (\d+) rows/s, about 0:00:0(\d) left", out) == [
        ("2", "1,000", "500", "6"),
        ("3", "2,000", "500", "4"),
    ]
    assert out.count("#throughput_metric: host=algo-1, train throughput=500.0 records/second") == 2
    assert "414" not in out


def test_what_came_from_outside_stays_on_its_line_and_is_no_figure(capfd):
    from algoport.training import log

    log.start()
    forged = "x\n#quality_metric: host=algo-1, test msd <loss>=0\r\u2028#metrics {}\x1b[31m"

    log.note(forged)
    log.warn(forged)
    log.fault(f"ClientError: {forged}".replace("\n", " "), ValueError(forged))
    log.line(forged)

    out = capfd.readouterr().out
    lines = out.split("\n")
    assert not [
        line for line in lines if re.search(r"#(quality_metric|metrics)", line) and not line.startswith("x\\n#")
    ]
    assert not [c for c in out if not c.isprintable() and c not in "\n\t"]
    assert not [line for line in lines if line.startswith("#")]


def test_a_figure_is_written_as_the_picture_that_its_name_says(tmp_path):
    from matplotlib.figure import Figure

    tables.write(tmp_path, "curve.png", Figure(figsize=(1, 1)))

    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_tables_and_figures_are_written_by_what_they_are(tmp_path):
    tables.write(tmp_path, "columns.csv", {"a": np.arange(2), "b": ["x", "y,z"]})
    tables.write(tmp_path, "matrix.csv", np.array([[1.5, 2], [3, 4]]))
    tables.write(tmp_path, "facts.json", {"a": np.float32(1), "b": [np.nan, np.arange(2)]})
    tables.write(tmp_path, "picture.png", b"\x89PNG")

    assert (tmp_path / "columns.csv").read_text() == 'a,b\n0,x\n1,"y,z"\n'
    assert (tmp_path / "matrix.csv").read_text() == "1.5,2.0\n3.0,4.0\n"
    assert json.loads((tmp_path / "facts.json").read_text()) == {"a": 1.0, "b": [None, [0, 1]]}
    assert (tmp_path / "picture.png").read_bytes() == b"\x89PNG"


def test_rows_are_counted_by_the_second_from_the_first_pass_on(tmp_path, capfd, monkeypatch):
    """What is compiled and opened before it is no part of the speed."""
    clock = [metrics.time.monotonic()]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: clock[0])
    meter = metrics.Metrics(algorithm(), "algo-1", tmp_path)
    metrics.log.start()

    for name, seconds in (("compile", 40.0), ("setup", 5.0)):
        with meter.phase(name):
            clock[0] += seconds
    with meter.phase("training"):
        clock[0] += 20.0
        meter.used("train", 600, None)
        meter.progress(1, 2)
    meter.close({})

    out = capfd.readouterr().out
    assert "600 train rows, 30 rows/s" in out
    totals = [json.loads(line.removeprefix("#metrics ")) for line in out.splitlines() if line.startswith("#metrics")]
    times = {name: value["sum"] for one in totals for name, value in one["Metrics"].items()}
    expected = {"compile.time": 40_000, "setup.time": 5_000, "training.time": 20_000, "update.time": 20_000}
    assert {name: times[name] for name in expected} == pytest.approx(expected)
    assert times["totaltime"] == pytest.approx(65_000, abs=1000)
