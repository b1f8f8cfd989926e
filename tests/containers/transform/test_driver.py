"""A transform against a container of a few lines: order, retries, failures, instances, and what is there afterwards."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.endpoints.server import Elsewhere
from algoport.containers.transform import driver, inputs
from algoport.containers.transform.driver import Transform, check
from algoport.containers.transform.request import Addresses
from algoport.training.formats.recordio import frame
from tests.containers.transform.container import CSV, Container, lengths, request, transform


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, apart from the ledger's."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".transform" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def numbered(count: int) -> bytes:
    return b"".join(b"%d,%s\n" % (number, b"x" * (number % 7)) for number in range(count))


def wanted(data: bytes) -> bytes:
    return b"".join(b"%d\n" % len(line) for line in data.splitlines())


def test_answers_come_in_the_order_of_the_records_whatever_order_they_are_given_in(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.csv").write_bytes(numbered(200))
    (tmp_path / "in" / "deep" / "b.csv").write_bytes(numbered(77))
    (tmp_path / "in" / ".hidden").write_bytes(b"bad\n")
    (tmp_path / "in" / "empty.csv").write_bytes(b"")
    with Container(delay=lambda number: 0.02 if number % 5 == 0 else 0.0).running() as container:
        progress = transform(container, tmp_path / "in", tmp_path / "out", MaxConcurrentTransforms=4, most=10)

    assert files(tmp_path / "out") == {
        "a.csv.out": wanted(numbered(200)),
        "deep/b.csv.out": wanted(numbered(77)),
        "empty.csv.out": b"",
    }
    assert (progress.done, progress.records, progress.failures) == (3, 277, 0)
    assert len(container.bodies) == 28 and 2 <= container.most <= 4
    assert container.headers[0]["Content-Type"] == "text/csv" and "Accept" not in container.headers[0]


def test_instances_share_whole_objects_and_the_outputs_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / "in" / f"{number}.csv").write_bytes(numbered(20 + number))
    with Container(delay=lambda number: 0.005).running() as container:
        transform(container, tmp_path / "in", tmp_path / "one", most=5)
        asked = len(container.bodies)
        transform(container, tmp_path / "in", tmp_path / "three", most=5, instances=3)

    assert files(tmp_path / "one") == files(tmp_path / "three")
    assert sorted(container.bodies[:asked]) == sorted(container.bodies[asked:])
    assert 2 <= container.most <= 3


@pytest.mark.parametrize(
    ("split", "strategy", "bodies"),
    [
        ("None", "MultiRecord", [b"1\n2\n\n3"]),
        ("Line", "MultiRecord", [b"1\n2\n\n3"]),
        ("Line", "SingleRecord", [b"1", b"2", b"3"]),
    ],
)
def test_what_is_sent_follows_from_split_type_and_strategy(
    tmp_path: Path, split: str, strategy: str, bodies: list[bytes]
) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n2\n\n3")
    with Container().running() as container:
        transform(
            container, tmp_path / "a.csv", tmp_path / "out", BatchStrategy=strategy, TransformInput={"SplitType": split}
        )

    assert container.bodies == bodies
    assert (tmp_path / "out" / "a.csv.out").read_bytes() == b"1\n1\n1\n"


@pytest.mark.parametrize(("assemble", "wanted_"), [("Line", b"5\n5\n"), ("None", b"55")])
def test_a_newline_stands_behind_each_answer_where_that_is_asked_for(
    tmp_path: Path, assemble: str, wanted_: bytes
) -> None:
    (tmp_path / "a.rec").write_bytes(frame(b"hello") + frame(b"world"))
    more = {"ContentType": "application/x-recordio-protobuf", "SplitType": "RecordIO"}
    with Container().running() as container:
        transform(
            container, tmp_path / "a.rec", tmp_path / "out", BatchStrategy="SingleRecord",
            TransformInput=more, TransformOutput={"AssembleWith": assemble, "Accept": "application/json"},
        )  # fmt: skip

    assert container.bodies == [b"hello", b"world"] and container.headers[0]["Accept"] == "application/json"
    assert (tmp_path / "out" / "a.rec.out").read_bytes() == wanted_


def test_lines_that_end_already_get_no_second_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n2\n")
    with Container(answer=lambda body, headers: (200, body, CSV)).running() as container:
        transform(container, tmp_path / "a.csv", tmp_path / "out")

    assert (tmp_path / "out" / "a.csv.out").read_bytes() == b"1\n2\n"


def test_compressed_objects_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(numbered(50)))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(numbered(50))[:-20])
    with Container().running() as container:
        progress = transform(container, tmp_path, tmp_path / "out", TransformInput={"CompressionType": "Gzip"}, most=10)

    assert files(tmp_path / "out") == {"a.csv.gz.out": wanted(numbered(50))}
    assert progress.failed[0].startswith("b.csv.gz: cannot be decompressed: ") and not progress.lost


def test_an_object_of_any_size_is_sent_in_chunks_where_the_payload_is_0(tmp_path: Path) -> None:
    body = numbered(400_000)
    (tmp_path / "a.csv").write_bytes(body)
    (tmp_path / "b.csv").write_bytes(b"bad\n")
    with Container().running() as container:
        progress = transform(
            container, tmp_path, tmp_path / "out", MaxPayloadInMB=0, TransformOutput={"AssembleWith": "None"}
        )

    assert sorted(container.bodies, key=len) == [b"bad\n", body]
    assert files(tmp_path / "out") == {"a.csv.out": wanted(body)[:-1]}
    assert progress.failed == ["b.csv, line 1: the container refuses it (400): line 1: 'bad' is bad."]


def test_a_record_that_is_refused_is_named_and_its_object_has_no_output(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(numbered(70) + b"\nbad one\n" + numbered(20) + b"bad two\n")
    (tmp_path / "in" / "b.csv").write_bytes(numbered(9))
    with Container().running() as container:
        progress = transform(container, tmp_path / "in", tmp_path / "out", MaxConcurrentTransforms=3, most=16)

    assert progress.failed == ["a.csv, line 72: the container refuses it (400): line 1: 'bad one' is bad."]
    assert files(tmp_path / "out") == {"b.csv.out": wanted(numbered(9))}
    with pytest.raises(UserError) as error:
        check(progress)
    assert error.value.findings == progress.failed


def test_with_keep_going_they_are_left_out_and_named_in_a_file(tmp_path: Path) -> None:
    data = numbered(50) + b"bad one\n" + numbered(30) + b"bad two\nbad three\n"
    (tmp_path / "a.csv").write_bytes(data)
    with Container().running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", keep_going=True, most=20)

    made = files(tmp_path / "out")
    assert made["a.csv.out"] == wanted(numbered(50) + numbered(30))
    assert [json.loads(line) for line in made["a.csv.errors.jsonl"].splitlines()] == [
        {"object": "a.csv", "line": line, "status": 400, "message": f"line 1: 'bad {name}' is bad."}
        for line, name in ((51, "one"), (82, "two"), (83, "three"))
    ]
    assert (progress.done, progress.failures, progress.failed) == (1, 3, [])


def test_with_keep_going_an_object_that_is_no_row_of_records_is_named_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"bad")
    (tmp_path / "in" / "b.png").write_bytes(b"good")
    how = {"ContentType": "image/png", "SplitType": "None"}
    with Container().running() as container:
        progress = transform(container, tmp_path / "in", tmp_path / "out", keep_going=True, TransformInput=how)

    assert set(files(tmp_path / "out")) == {"a.png.errors.jsonl", "b.png.out"}
    assert (progress.done, progress.failures, progress.failed) == (2, 1, [])


def test_an_object_of_which_most_is_refused_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "TRIED", 100)
    (tmp_path / "a.csv").write_bytes(b"bad\n" * 300)
    with Container().running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", keep_going=True, most=50)

    assert progress.failed[0].startswith("a.csv: 100 of its first 100 records fail. The last: a.csv, line 100: ")
    assert not files(tmp_path / "out")


def test_a_content_type_that_is_refused_is_no_fault_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(50))
    refusal = (415, b'{"message": "text/csv is not one this model reads."}', {})
    with Container(answer=lambda body, headers: refusal).running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", keep_going=True)

    assert progress.failed == ["a.csv: the container refuses it (415): text/csv is not one this model reads."]
    assert len(container.bodies) == 1


def test_a_request_that_is_too_large_for_the_container_is_halved(tmp_path: Path) -> None:
    def small(body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return lengths(body, headers) if len(body) < 100 else (413, b"too large", {})

    (tmp_path / "a.csv").write_bytes(numbered(90))
    with Container(answer=small).running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out")

    assert files(tmp_path / "out") == {"a.csv.out": wanted(numbered(90))} and not progress.failed


class Failing:
    """Answers of the container's own fault, so many, then right ones."""

    def __init__(self, times: int, code: int, **headers: str) -> None:
        self.times, self.code, self.headers = times, code, headers

    def __call__(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        self.times -= 1
        return (self.code, b"sorry", self.headers) if self.times >= 0 else lengths(body, headers)


@pytest.mark.parametrize("code", [500, 503, 429])
def test_what_the_container_may_do_better_is_asked_for_again(tmp_path: Path, code: int) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(5))
    with Container(answer=Failing(1, code)).running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out")

    assert len(container.bodies) == 2 and not progress.failed


def test_it_is_asked_for_as_often_as_the_request_says(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    with Container(answer=Failing(99, 503)).running() as container:
        progress = transform(
            container, tmp_path / "a.csv", tmp_path / "out", ModelClientConfig={"InvocationsMaxRetries": 1}
        )

    assert progress.failed == ["a.csv: the endpoint is too busy (503): sorry"] and len(container.bodies) == 2
    with pytest.raises(PlatformError):
        check(progress)


def test_an_answer_that_does_not_come_in_time_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    config = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 1}
    with Container(delay=lambda number: 1.5).running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", ModelClientConfig=config)

    assert progress.failed == [f"a.csv: {container.url} does not answer: there was no answer in time"] and progress.lost


def test_an_endpoint_that_has_gone_costs_the_rest_and_the_rest_is_done_later(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(100))
    config = {"InvocationsMaxRetries": 0}
    busy = Container(answer=lambda body, headers: lengths(body, headers) if len(busy.bodies) < 6 else (503, b"", {}))
    with busy.running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", most=10, ModelClientConfig=config)
    assert progress.failed and set(files(tmp_path / "out")) == {".a.csv.out.part"}

    with Container().running() as container:
        transform(container, tmp_path / "a.csv", tmp_path / "out", most=10, ModelClientConfig=config)

    assert files(tmp_path / "out") == {"a.csv.out": wanted(numbered(100))}
    assert len(container.bodies) == 5  # of ten, the rest


def test_what_is_done_is_not_done_again_unless_the_object_has_changed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / name).write_bytes(numbered(5))
    with Container().running() as container:
        transform(container, tmp_path / "in", tmp_path / "out")
        (tmp_path / "in" / "b").write_bytes(numbered(6))
        (tmp_path / "out" / "c.out").unlink()
        progress = transform(container, tmp_path / "in", tmp_path / "out")
        again = transform(container, tmp_path / "in", tmp_path / "out", again=True)

    assert (progress.before, progress.done) == (1, 3) and (again.before, again.done) == (0, 3)
    assert container.bodies == [*[numbered(5)] * 3, numbered(6), numbered(5), numbered(5), numbered(6), numbered(5)]


def test_results_of_another_transform_are_not_mixed_with_these(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(5))
    with Container().running() as container:
        transform(container, tmp_path / "a.csv", tmp_path / "out")
        with pytest.raises(UserError, match=r"differs in Accept, SplitType; name another folder, or begin anew"):
            transform(
                container, tmp_path / "a.csv", tmp_path / "out",
                TransformInput={"SplitType": "None"}, TransformOutput={"Accept": "text/plain"},
            )  # fmt: skip


def test_two_do_not_write_into_one_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    first = job(tmp_path)
    with pytest.raises(UserError, match="another transform writes there now"):
        job(tmp_path)
    first.close()
    job(tmp_path).close()


def job(folder: Path, **more: Any) -> Transform:
    asked = request(folder / "a.csv", folder / "out", **more)
    items = inputs.listed(asked.TransformInput.DataSource.S3DataSource, None)
    return Transform(asked, items, folder / "out", model={}, most=2)


def test_one_that_is_stopped_goes_on_between_two_requests(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(100))
    with Container(delay=lambda number: 0.02).running() as container:
        first = job(tmp_path)
        threading.Timer(0.3, first.stop).start()
        first.run([Elsewhere(container.url)])
        first.close()
        asked = len(container.bodies)
        second = job(tmp_path)
        second.run([Elsewhere(container.url)])
        second.close()

    assert 2 < asked < 45 and len(container.bodies) <= 51 and not first.progress.failed
    assert files(tmp_path / "out") == {"a.csv.out": wanted(numbered(100))}


def test_filters_and_joins_keep_the_names_of_rows_and_failures_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'7,"x,y",1\n\n8,z,22\n9,bad,333\n10\n')
    how = {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"}
    with Container().running() as container:
        progress = transform(
            container,
            tmp_path / "a.csv",
            tmp_path / "out",
            DataProcessing={**how, "InputFilter": "$[1,2]"},
            keep_going=True,
        )

    made = files(tmp_path / "out")
    assert made["a.csv.out"] == b"7,7\n8,4\n"
    failures = [json.loads(line) for line in made["a.csv.errors.jsonl"].splitlines()]
    assert [(each["line"], each["status"]) for each in failures] == [(4, 400), (5, None)]
    assert failures[1]["message"] == "$[1,2]: there is no [1], as there are 1 columns" and progress.failures == 2


def test_an_answer_of_another_type_cannot_be_joined(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n2\n")
    with Container(
        answer=lambda body, headers: (200, b"{}", {"Content-Type": "application/json"})
    ).running() as container:
        progress = transform(container, tmp_path / "a.csv", tmp_path / "out", DataProcessing={"JoinSource": "Input"})

    assert progress.failed == [
        "a.csv: the container refuses it (415): it answers with application/json, where text/csv is needed"
    ]


def test_a_manifest_names_the_objects_and_s3_is_a_folder(tmp_path: Path) -> None:
    bucket = tmp_path / "s3" / "bucket" / "data"
    bucket.mkdir(parents=True)
    for name in ("part-0.csv", "part-1.csv", "party.csv", "other.csv"):
        (bucket / name).write_bytes(b"1\n")
    (tmp_path / "list.json").write_text('[{"prefix": "s3://bucket/data/"}, "party.csv", "other.csv"]')

    manifest = Addresses(S3DataType="ManifestFile", S3Uri=str(tmp_path / "list.json"))
    assert [item.name for item in inputs.listed(manifest, tmp_path / "s3")] == ["party.csv", "other.csv"]
    prefix = Addresses(S3Uri="s3://bucket/data/part-")
    assert [item.name for item in inputs.listed(prefix, tmp_path / "s3")] == ["part-0.csv", "part-1.csv"]
    with pytest.raises(UserError, match="say with --objects which folder stands for S3"):
        inputs.listed(prefix, None)
    with pytest.raises(UserError, match="there are no objects whose names begin so"):
        inputs.listed(Addresses(S3Uri="s3://bucket/data/q"), tmp_path / "s3")
    (tmp_path / "list.json").write_text('[{"prefix": "s3://bucket/data/"}, "../party.csv", "gone.csv"]')
    with pytest.raises(UserError) as error:
        inputs.listed(manifest, tmp_path / "s3")
    assert len(error.value.findings) == 2


def test_what_the_container_asked_for_the_first_time_holds_when_it_is_resumed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(numbered(6))
    first = Container(parameters={"BatchStrategy": "SINGLE_RECORD", "MaxConcurrentTransforms": 3, "MaxPayloadInMB": 2})
    with first.running() as container:
        transform(container, tmp_path / "a.csv", tmp_path / "out")
    (tmp_path / "out" / "a.csv.out").unlink()
    with Container().running() as second:
        transform(second, tmp_path / "a.csv", tmp_path / "out")

    assert len(container.bodies) == len(second.bodies) == 6
