"""What a transform is asked for: a CreateTransformJob request, with names of fields and values as the API has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.containers.transform import filters
from algoport.containers.transform.joining import CSV, JSON, MEDIA, Processing
from algoport.containers.transform.splitting import Split

MB = 1 << 20
MOST_MB = 100  # of a body, and of all that are on their way to one instance
MOST_INSTANCES = 64  # on one machine

Strategy = Literal["SingleRecord", "MultiRecord"]
Value = Annotated[str, Field(max_length=10_240)]
Variable = Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Addresses(_Part):
    """Where the objects are: all whose key begins so, or those that a manifest names."""

    S3DataType: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"
    S3Uri: Annotated[str, Field(min_length=1)]


class Source(_Part):
    """The API has one kind."""

    S3DataSource: Addresses


class Objects(_Part):
    """The objects, and how they are cut."""

    DataSource: Source
    ContentType: str | None = None
    CompressionType: Literal["None", "Gzip"] = "None"
    SplitType: Split = "None"


class Outputs(_Part):
    """Where outputs go, and how answers are put together."""

    S3OutputPath: Annotated[str, Field(min_length=1)]
    Accept: str | None = None
    AssembleWith: Literal["None", "Line"] = "None"
    KmsKeyId: str | None = None


class Resources(_Part):
    """On how many instances; of which type means nothing here."""

    InstanceType: str | None = None
    InstanceCount: Annotated[int, Field(ge=1, le=MOST_INSTANCES)] = 1
    VolumeKmsKeyId: str | None = None
    TransformAmiVersion: str | None = None


class Invocations(_Part):
    """How long an answer may take, and how often it is asked for again."""

    InvocationsTimeoutInSeconds: Annotated[int, Field(ge=1, le=3600)] = 600
    InvocationsMaxRetries: Annotated[int, Field(ge=0, le=3)] = 3


class Steps(_Part):
    """What is done to records and answers."""

    InputFilter: str = "$"
    OutputFilter: str = "$"
    JoinSource: Literal["None", "Input"] = "None"


class TransformRequest(_Part):
    """A CreateTransformJob request. What it leaves out of `MaxConcurrentTransforms`, `BatchStrategy` and
    `MaxPayloadInMB`, the container says, or else the API's defaults."""

    TransformJobName: str = "transform"
    ModelName: str = ""
    TransformInput: Objects
    TransformOutput: Outputs
    TransformResources: Resources = Resources()
    BatchStrategy: Strategy | None = None
    MaxConcurrentTransforms: Annotated[int, Field(ge=0)] | None = None
    MaxPayloadInMB: Annotated[int, Field(ge=0, le=MOST_MB)] | None = None
    ModelClientConfig: Invocations = Invocations()
    Environment: Annotated[Mapping[Variable, Value], Field(max_length=16)] = {}
    DataProcessing: Steps = Steps()
    DataCaptureConfig: Mapping[str, Any] | None = None
    ExperimentConfig: Mapping[str, Any] | None = None  # for a service that keeps experiments, of which there is none
    Tags: list[Any] | None = None

    @classmethod
    def read(cls, written: Any) -> Self:
        """From what JSON says; `UserError` with a sentence for each field that cannot be."""
        if not isinstance(written, dict):
            raise UserError("A CreateTransformJob request must be a JSON object.")
        try:
            made = cls.model_validate_json(json.dumps(written))
        except ValidationError as error:
            raise UserError([_sentence(fault) for fault in error.errors()]) from None
        faults = list(made.faults())
        if faults:
            raise UserError(faults)
        return made

    @classmethod
    def of_file(cls, path: Path) -> Any:
        """What a file of JSON holds, which need not be a whole request yet."""
        try:
            return json.loads(path.read_bytes())
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: is not JSON: {error}.") from None

    def faults(self) -> Iterator[str]:
        """Sentences on what does not go together."""
        concurrent, payload = self.MaxConcurrentTransforms, self.MaxPayloadInMB
        if (concurrent or 1) * (payload or 0) > MOST_MB:
            yield (
                f"MaxConcurrentTransforms times MaxPayloadInMB: must be at most {MOST_MB} MB; "
                f"it is {concurrent} times {payload}."
            )
        for field, key in (
            ("TransformOutput", self.TransformOutput.KmsKeyId),
            ("TransformResources", self.TransformResources.VolumeKmsKeyId),
        ):
            if key:
                yield f"{field}: names a key, and nothing is encrypted here; leave it out."
        if self.DataCaptureConfig is not None:
            yield "DataCaptureConfig: batches are not captured here; leave it out. JoinSource keeps inputs, too."
        try:
            processing = self.processing
        except UserError as error:
            yield from error.findings
            return
        if not processing.is_nothing:
            yield from self._unfit(processing)

    def _unfit(self, processing: Processing) -> Iterator[str]:
        given, split = self.TransformInput, self.TransformInput.SplitType
        if processing.media not in MEDIA:
            media = ", ".join(MEDIA)
            yield f"DataProcessing: ContentType must be one of {media}; it is {given.ContentType or 'not given'}."
            return
        if processing.reads_answers and media_of(self.accept) != processing.media:
            yield f"DataProcessing: Accept must be the ContentType, {processing.media}; it is {self.accept}."
        if split not in ("None", "Line"):
            yield f"DataProcessing: SplitType must be None or Line; it is {split}."
        elif processing.reads_answers and split != (assemble := self.TransformOutput.AssembleWith):
            yield f"DataProcessing: AssembleWith must be the SplitType, {split}; it is {assemble}."
        if self.MaxPayloadInMB == 0:
            yield "DataProcessing: needs requests that fit into memory, and with MaxPayloadInMB 0 they are of any size."
        for field, path in (("InputFilter", processing.before), ("OutputFilter", processing.after)):
            if processing.media == CSV and path.columns is None:
                yield f"{field}: a row of {CSV} has columns by their numbers, as in $[0,2:]; it is {path.text!r}."

    @property
    def accept(self) -> str | None:
        """The content type asked for; that of the records where answers are joined with them or filtered."""
        wanted = self.TransformOutput.Accept
        data = self.DataProcessing
        if wanted is None and (data.JoinSource != "None" or data.OutputFilter.strip() not in ("", "$")):
            return self.TransformInput.ContentType
        return wanted

    @property
    def processing(self) -> Processing:
        """What is done to records and answers; `UserError` for a filter that is none."""
        data, media = self.DataProcessing, media_of(self.TransformInput.ContentType)
        return Processing(
            media=media,
            by_line=media != JSON or self.TransformInput.SplitType == "Line",
            before=filters.parse(data.InputFilter.strip() or "$", "InputFilter"),
            joined=data.JoinSource == "Input",
            after=filters.parse(data.OutputFilter.strip() or "$", "OutputFilter"),
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a container is given: that it is a batch, and what was asked for, where it was."""
        made = {**self.Environment, "SAGEMAKER_BATCH": "true"}
        if self.MaxPayloadInMB is not None:
            made["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(self.MaxPayloadInMB)
        if self.BatchStrategy is not None:
            made["SAGEMAKER_BATCH_STRATEGY"] = (
                "SINGLE_RECORD" if self.BatchStrategy == "SingleRecord" else "MULTI_RECORD"
            )
        if self.MaxConcurrentTransforms:
            made["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(self.MaxConcurrentTransforms)
        return made


def media_of(content_type: str | None) -> str:
    """A content type without its parameters, in lower case; "" where there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _sentence(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "The request"
    if fault["type"] == "extra_forbidden":
        return f"{place}: is no field of a CreateTransformJob request."
    if fault["type"] == "missing":
        return f"{place}: is required."
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}; it is {str(fault['input'])[:100]!r}."
