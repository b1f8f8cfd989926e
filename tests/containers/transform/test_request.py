"""A CreateTransformJob request is read as the API has it, and what cannot be is a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.transform.driver import Plan
from algoport.containers.transform.request import TransformRequest

WHOLE: dict[str, Any] = {
    "TransformJobName": "nightly",
    "ModelName": "digits",
    "MaxConcurrentTransforms": 4,
    "ModelClientConfig": {"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 1},
    "MaxPayloadInMB": 6,
    "BatchStrategy": "MultiRecord",
    "Environment": {"LEVEL": "high"},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}},
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://bucket/out", "Accept": "text/csv", "AssembleWith": "Line"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
    "DataProcessing": {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"},
    "Tags": [{"Key": "a", "Value": "b"}],
}


def changed(**fields: Any) -> dict[str, Any]:
    """The request with some fields otherwise; `A__b` is `b` of `A`, and None is left out."""
    made = {name: dict(value) if isinstance(value, dict) else value for name, value in WHOLE.items()}
    for path, value in fields.items():
        *above, last = path.split("__")
        place = made
        for name in above:
            place = place[name]
        place[last] = value
        if value is None:
            del place[last]
    return made


def test_a_whole_request_is_read() -> None:
    asked = TransformRequest.read(WHOLE)

    assert asked.environment == {
        "LEVEL": "high",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4",
    }
    assert asked.processing.joined and asked.accept == "text/csv"


def test_a_container_is_told_only_what_was_asked_for() -> None:
    asked = TransformRequest.read(changed(MaxConcurrentTransforms=None, MaxPayloadInMB=None, BatchStrategy=None))

    assert asked.environment == {"LEVEL": "high", "SAGEMAKER_BATCH": "true"}


def test_the_request_counts_more_than_the_container_and_that_more_than_the_defaults() -> None:
    said = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 3}
    bare = changed(MaxConcurrentTransforms=None, MaxPayloadInMB=None, BatchStrategy=None)

    asked = Plan.of(TransformRequest.read(WHOLE), said, None)
    by_container = Plan.of(TransformRequest.read(bare), said, None)
    default = Plan.of(TransformRequest.read(bare), {}, None)

    assert (asked.concurrent, asked.cut.single, asked.cut.limit) == (4, False, 6 << 20)
    assert (by_container.concurrent, by_container.cut.single, by_container.cut.limit) == (8, True, 3 << 20)
    assert (default.concurrent, default.cut.single, default.cut.limit) == (1, False, 6 << 20)
    assert (
        Plan.of(TransformRequest.read(bare), {"MaxConcurrentTransforms": 90, "MaxPayloadInMB": 50}, None).concurrent
        == 2
    )
    assert Plan.of(TransformRequest.read(bare), {"MaxConcurrentTransforms": "x", "MaxPayloadInMB": -1}, None) == default


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"TransformOutput": None}, "TransformOutput: is required."),
        ({"TransformInputs": {}}, "TransformInputs: is no field of a CreateTransformJob request."),
        ({"BatchStrategy": "Multi"}, "BatchStrategy: input should be 'SingleRecord' or 'MultiRecord'; it is 'Multi'."),
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB: input should be less than or equal to 100; it is '101'."),
        (
            {"MaxPayloadInMB": 50},
            "MaxConcurrentTransforms times MaxPayloadInMB: must be at most 100 MB; it is 4 times 50.",
        ),
        ({"ModelClientConfig__InvocationsMaxRetries": 4}, "ModelClientConfig.InvocationsMaxRetries: "),
        ({"ModelClientConfig__InvocationsTimeoutInSeconds": 0}, "ModelClientConfig.InvocationsTimeoutInSeconds: "),
        ({"Environment": {f"A{number}": "x" for number in range(17)}}, "Environment: "),
        ({"Environment": {"A": "x" * 10_241}}, "Environment.A: "),
        ({"Environment": {"A B": "x"}}, "Environment.A B: "),
        ({"TransformInput__SplitType": "Lines"}, "TransformInput.SplitType: "),
        ({"TransformInput__SplitType": "RecordIO"}, "DataProcessing: SplitType must be None or Line; it is RecordIO."),
        (
            {"TransformOutput__AssembleWith": "None"},
            "DataProcessing: AssembleWith must be the SplitType, Line; it is None.",
        ),
        (
            {"TransformOutput__Accept": "application/json"},
            "DataProcessing: Accept must be the ContentType, text/csv; it is application/json.",
        ),
        (
            {"TransformInput__ContentType": "image/png"},
            "DataProcessing: ContentType must be one of text/csv, application/json, application/jsonlines; it is image",
        ),
        ({"DataProcessing__InputFilter": "$.x"}, "InputFilter: a row of text/csv has columns by their numbers"),
        ({"DataProcessing__OutputFilter": "x"}, "OutputFilter: must begin with $; it is 'x'."),
        ({"MaxPayloadInMB": 0}, "DataProcessing: needs requests that fit into memory"),
        (
            {"TransformOutput__KmsKeyId": "key"},
            "TransformOutput: names a key, and nothing is encrypted here; leave it out.",
        ),
        ({"DataCaptureConfig": {"DestinationS3Uri": "x"}}, "DataCaptureConfig: batches are not captured here"),
    ],
)
def test_what_cannot_be_is_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        TransformRequest.read(changed(**fields))

    assert len(error.value.findings) == 1 and error.value.findings[0].startswith(sentence), error.value.findings


def test_all_that_cannot_be_is_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        TransformRequest.read(changed(MaxPayloadInMB=-1, TransformOutput=None))

    assert len(error.value.findings) == 2


def test_answers_that_are_joined_are_asked_for_in_the_content_type_of_the_records() -> None:
    bare = changed(TransformOutput__Accept=None)

    assert TransformRequest.read(bare).accept == "text/csv"
    assert TransformRequest.read({**bare, "DataProcessing": {"InputFilter": "$[1:]"}}).accept is None
