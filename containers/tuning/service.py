"""CreateHyperParameterTuningJob requests, as clients of the original service write them (contract, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.control import objects
from algoport.containers.control.home import Home
from algoport.containers.control.records import Request
from algoport.containers.jobs.channels import Channel, Distribution, Mode, Wrapper
from algoport.containers.jobs.description import Definition, Description, Limits
from algoport.containers.tuning import declared
from algoport.containers.tuning.request import Resource, Tuning
from algoport.containers.tuning.space import Range, Scale, combinations
from algoport.containers.tuning.strategies import Goal, Strategy

# What counts epochs where only the names of hyperparameters say so.
_EPOCHS = re.compile(r"(n[-_]?|num[-_]?)?epochs?", re.IGNORECASE)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Number(_Part):
    Name: str
    MinValue: float
    MaxValue: float
    ScalingType: Scale = "Auto"


class _Choice(_Part):
    Name: str
    Values: list[str]


class _Hint(_Part):
    Name: str
    ValueHint: str


class _Ranges(_Part):
    IntegerParameterRanges: list[_Number] = []
    ContinuousParameterRanges: list[_Number] = []
    CategoricalParameterRanges: list[_Choice] = []
    AutoParameters: list[_Hint] = []


class _Objective(_Part):
    Type: Goal
    MetricName: str


class _Limits(_Part):
    MaxNumberOfTrainingJobs: int | None = None
    MaxParallelTrainingJobs: int = 1
    MaxRuntimeInSeconds: int | None = Field(None, ge=120, le=15_768_000)


class _NotImproving(_Part):
    MaxNumberOfTrainingJobsNotImproving: int


class _Convergence(_Part):
    CompleteOnConvergence: Literal["Enabled", "Disabled"] = "Disabled"


class _Criteria(_Part):
    TargetObjectiveMetricValue: float | None = None
    BestObjectiveNotImproving: _NotImproving | None = None
    ConvergenceDetected: _Convergence = _Convergence()


class _Hyperband(_Part):
    MinResource: int | None = None
    MaxResource: int | None = None


class _StrategyConfig(_Part):
    HyperbandStrategyConfig: _Hyperband | None = None


class _Config(_Part):
    Strategy: Strategy = "Bayesian"
    StrategyConfig: _StrategyConfig = _StrategyConfig()
    HyperParameterTuningJobObjective: _Objective | None = None
    ResourceLimits: _Limits
    ParameterRanges: _Ranges | None = None
    TrainingJobEarlyStoppingType: Literal["Off", "Auto"] = "Off"
    TuningJobCompletionCriteria: _Criteria = _Criteria()
    RandomSeed: int = Field(0, ge=0)


class _Metric(_Part):
    Name: str
    Regex: str


class _Algorithm(_Part):
    TrainingImage: str | None = None
    AlgorithmName: str | None = None
    TrainingInputMode: Mode = "File"
    MetricDefinitions: list[_Metric] = []


class _S3(_Part):
    S3DataType: Literal["S3Prefix"] = "S3Prefix"
    S3Uri: str
    S3DataDistributionType: Distribution = "FullyReplicated"


class _Source(_Part):
    S3DataSource: _S3


class _Shuffle(_Part):
    Seed: int


class _Channel(_Part):
    ChannelName: str
    DataSource: _Source
    ContentType: str | None = None
    InputMode: Mode | None = None
    CompressionType: str | None = None
    RecordWrapperType: Wrapper = "None"
    ShuffleConfig: _Shuffle | None = None


class _Output(_Part):
    S3OutputPath: str | None = None
    KmsKeyId: str | None = None
    CompressionType: str | None = None


class _Resources(_Part):
    model_config = ConfigDict(extra="allow")  # volumes, keys and pools have no meaning here

    InstanceType: str | None = None
    InstanceCount: int = 1


class _Stopping(_Part):
    MaxRuntimeInSeconds: int | None = None
    MaxWaitTimeInSeconds: int | None = None
    MaxPendingTimeInSeconds: int | None = None


class _Retry(_Part):
    MaximumRetryAttempts: int = 0


class _Definition(_Part):
    DefinitionName: str | None = None
    TuningObjective: _Objective | None = None
    HyperParameterRanges: _Ranges | None = None
    StaticHyperParameters: dict[str, str] = {}
    AlgorithmSpecification: _Algorithm
    InputDataConfig: list[_Channel] = []
    OutputDataConfig: _Output = _Output()
    ResourceConfig: _Resources = _Resources()
    HyperParameterTuningResourceConfig: dict[str, Any] | None = None
    StoppingCondition: _Stopping = _Stopping()
    EnableManagedSpotTraining: bool = False
    CheckpointConfig: dict[str, str] = {}
    RetryStrategy: _Retry = _Retry()
    Environment: dict[str, str] = {}
    # What has no meaning on one machine:
    RoleArn: str | None = None
    VpcConfig: dict[str, Any] | None = None
    EnableNetworkIsolation: bool = False
    EnableInterContainerTrafficEncryption: bool = False


class _Parent(_Part):
    HyperParameterTuningJobName: str


class _Warm(_Part):
    ParentHyperParameterTuningJobs: list[_Parent]
    WarmStartType: Literal["IdenticalDataAndAlgorithm", "TransferLearning"]


class _Auto(_Part):
    Mode: Literal["Enabled"] = "Enabled"


class _Call(_Part):
    HyperParameterTuningJobName: str
    HyperParameterTuningJobConfig: _Config
    TrainingJobDefinition: _Definition | None = None
    TrainingJobDefinitions: list[_Definition] = []
    WarmStartConfig: _Warm | None = None
    Autotune: _Auto | None = None
    Tags: list[dict[str, str]] = []


def read(
    call: Mapping[str, Any],
    home: Home,
    *,
    output: Path | None,
    docker: bool,
    cores: float,
    memory: int | None,
) -> Tuning:
    """The tuning job of a request. `UserError` names all that is not as it should be.

    An image whose name is that of an algorithm here runs as processes, unless `docker` asks for the image.
    """
    try:
        given = _Call.model_validate(call)
    except ValidationError as error:
        raise UserError([_sentence(fault) for fault in error.errors()]) from None
    definition, config = _definition(given), given.HyperParameterTuningJobConfig
    objective = config.HyperParameterTuningJobObjective or definition.TuningObjective
    if objective is None:
        raise UserError("HyperParameterTuningJobObjective: is required.")
    job = _job(given.HyperParameterTuningJobName, definition, home, output, docker)
    ranges = _ranges(config.ParameterRanges or definition.HyperParameterRanges or _Ranges(), job.algorithm)
    limits, criteria, warm = config.ResourceLimits, config.TuningJobCompletionCriteria, given.WarmStartConfig
    stopping = definition.StoppingCondition
    hyperband = config.StrategyConfig.HyperbandStrategyConfig or _Hyperband()
    improving = criteria.BestObjectiveNotImproving
    return Tuning(
        name=given.HyperParameterTuningJobName,
        job=Request(
            description=job,
            cores=cores,
            memory=memory,
            retries=definition.RetryStrategy.MaximumRetryAttempts,
            spot=definition.EnableManagedSpotTraining,
            wait=stopping.MaxWaitTimeInSeconds,
            instance=definition.ResourceConfig.InstanceType,
        ),
        ranges=ranges,
        objective=objective.MetricName,
        goal=objective.Type,
        strategy=config.Strategy,
        jobs=count(limits.MaxNumberOfTrainingJobs, config.Strategy, ranges),
        parallel=limits.MaxParallelTrainingJobs,
        runtime=limits.MaxRuntimeInSeconds,
        early=config.TrainingJobEarlyStoppingType == "Auto",
        target=criteria.TargetObjectiveMetricValue,
        patience=improving.MaxNumberOfTrainingJobsNotImproving if improving else None,
        converge=criteria.ConvergenceDetected.CompleteOnConvergence == "Enabled",
        seed=config.RandomSeed,
        resource=resource(config.Strategy, hyperband.MinResource, hyperband.MaxResource, job),
        parents=tuple(one.HyperParameterTuningJobName for one in warm.ParentHyperParameterTuningJobs) if warm else (),
        warm=warm.WarmStartType if warm else "IdenticalDataAndAlgorithm",
    )


def _definition(given: _Call) -> _Definition:
    all_ = [*([given.TrainingJobDefinition] if given.TrainingJobDefinition else []), *given.TrainingJobDefinitions]
    if len(all_) != 1:
        raise UserError(f"TrainingJobDefinition: there must be one; there are {len(all_)}.")
    if all_[0].HyperParameterTuningResourceConfig is not None and all_[0].ResourceConfig.InstanceType is None:
        first = (all_[0].HyperParameterTuningResourceConfig.get("InstanceConfigs") or [{}])[0]
        return all_[0].model_copy(update={"ResourceConfig": _Resources.model_validate(first)})
    return all_[0]


def _job(name: str, given: _Definition, home: Home, output: Path | None, docker: bool) -> Description:
    if output is None and given.OutputDataConfig.S3OutputPath is None:
        raise UserError("OutputDataConfig.S3OutputPath: is required, or say --output.")
    folder = (output or objects.path(given.OutputDataConfig.S3OutputPath or "", home) / name).absolute()
    algorithm, image = where(
        given.AlgorithmSpecification.TrainingImage, given.AlgorithmSpecification.AlgorithmName, docker
    )
    checkpointed = given.EnableManagedSpotTraining or bool(given.CheckpointConfig)
    stopping = given.StoppingCondition
    return Description(
        folder=folder,
        name=name,
        algorithm=algorithm,
        image=image,
        hyperparameters=given.StaticHyperParameters,
        channels=tuple(
            _channel(one, given.AlgorithmSpecification.TrainingInputMode, home) for one in given.InputDataConfig
        ),
        hosts=given.ResourceConfig.InstanceCount,
        limits=Limits(runtime=stopping.MaxRuntimeInSeconds),
        checkpoints=folder / "checkpoints" if checkpointed else None,
        environment=given.Environment,
        metrics=tuple(
            Definition(name=one.Name, regex=one.Regex) for one in given.AlgorithmSpecification.MetricDefinitions
        ),
    )


def where(image: str | None, name: str | None, docker: bool) -> tuple[str | None, str | None]:
    """Algorithm and image of a job: an image whose name is that of an algorithm here stands for it, whatever registry
    and tag it has; with `docker` our image of it is run."""
    last = (image or "").rpartition("/")[2].partition(":")[0].partition("@")[0]
    known = next(
        (one for one in (name or "", last, last.removeprefix("sagemaker-")) if one in algorithms.names()), None
    )
    if known is None:
        if image is None:
            algorithms.folder(name or "")  # which says what there is
        return None, image
    if not docker:
        return known, None
    own = image is not None and image.startswith("algoport/")
    return known, image if own else f"algoport/{known}:cpu"


def _channel(given: _Channel, mode: Mode, home: Home) -> Channel:
    source = given.DataSource.S3DataSource
    return Channel(
        name=given.ChannelName,
        path=objects.path(source.S3Uri, home),
        content_type=given.ContentType,
        mode=given.InputMode or mode,
        distribution=source.S3DataDistributionType,
        wrapper=given.RecordWrapperType,
        shuffle=given.ShuffleConfig.Seed if given.ShuffleConfig else None,
    )


def _ranges(given: _Ranges, algorithm: str | None) -> tuple[Range, ...]:
    numbers = [("Integer", one) for one in given.IntegerParameterRanges]
    numbers += [("Continuous", one) for one in given.ContinuousParameterRanges]
    ranges = [
        Range(name=one.Name, kind=kind, low=one.MinValue, high=one.MaxValue, scale=one.ScalingType)  # type: ignore[arg-type]
        for kind, one in numbers
    ]
    ranges += [
        Range(name=one.Name, kind="Categorical", values=tuple(one.Values)) for one in given.CategoricalParameterRanges
    ]
    if given.AutoParameters and algorithm is None:
        raise UserError("AutoParameters: are for algorithms that are installed here, which propose ranges.")
    return (*ranges, *(declared.shortened(algorithm or "", one.Name) for one in given.AutoParameters))


def count(given: int | None, strategy: str, ranges: tuple[Range, ...]) -> int:
    """How many jobs there are to be; those of a grid, where the request does not say."""
    if given is not None:
        return given
    if strategy != "Grid":
        raise UserError("ResourceLimits.MaxNumberOfTrainingJobs: is required.")
    return combinations(ranges)


def resource(strategy: str, least: int | None, most: int | None, job: Description) -> Resource | None:
    """What Hyperband measures by: the hyperparameter that the algorithm says counts passes, or that is named so."""
    if strategy != "Hyperband":
        return None
    fixed = job.hyperparameters
    name = declared.passes(job.algorithm) if job.algorithm is not None else None
    name = name or next((one for one in fixed if _EPOCHS.fullmatch(one)), None)
    if most is None and name is not None and fixed.get(name, "").isdigit():
        most = int(fixed[name])
    if most is None:
        return None
    return Resource(low=least or 1, high=most, name=name)


def _sentence(fault: Any) -> str:
    place = ".".join(map(str, fault["loc"])) or "The request"
    if fault["type"] == "extra_forbidden":
        return f"{place}: is not supported."
    if fault["type"] == "missing":
        return f"{place}: is required."
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}; it is {fault['input']!r}."
