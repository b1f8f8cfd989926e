"""`describe`: what an algorithm accepts and reports, for programs (JSON) and for people (text).

The JSON is the `TrainingSpecification` of the CreateAlgorithm call (contract, section 8), made from the same
declarations that a job is checked with. `--inference` and `--algorithm` give the other parts of that call.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract import Algorithm, Channel
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.algorithms.contract.setting import Setting

CPU_INSTANCES = tuple(
    f"ml.{family}.{size}"
    for family, sizes in {
        "m5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
        "c5": ("xlarge", "2xlarge", "4xlarge", "9xlarge", "18xlarge"),
        "r5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
    }.items()
    for size in sizes
)
GPU_INSTANCES = ("ml.g4dn.xlarge", "ml.g4dn.12xlarge", "ml.g5.xlarge", "ml.g5.12xlarge", "ml.p3.2xlarge")

# The document must name both ends of a range; these stand where the declaration has none.
_WHOLE, _REAL = 2**31 - 1, 3.4e38


def settings(name: str) -> list[Setting]:
    """The hyperparameters of an algorithm, in the order of their declaration, without the reserved ones."""
    declared: type[Settings] = algorithms.part(name, "hyperparameters").Hyperparameters
    return [setting for setting in declared.settings() if not setting.name.startswith("_")]


def training(name: str, image: str) -> dict[str, Any]:
    """The `TrainingSpecification` of an algorithm."""
    from algoport.training.metrics import definitions

    algorithm: Algorithm = algorithms.find(name)
    return {
        "TrainingImage": image,
        "SupportedHyperParameters": [_hyperparameter(setting) for setting in settings(name)],
        "SupportedTrainingInstanceTypes": _instances(algorithm),
        "SupportsDistributedTraining": algorithm.hosts,
        "MetricDefinitions": definitions(algorithm),
        "TrainingChannels": [_channel(channel) for channel in algorithm.channels],
        "SupportedTuningJobObjectiveMetrics": [
            {"Type": metric.goal.capitalize(), "MetricName": metric.name} for metric in algorithm.metrics
        ],
    }


def inference(name: str, image: str) -> dict[str, Any]:
    """The `InferenceSpecification` of an algorithm."""
    algorithm: Algorithm = algorithms.find(name)
    instances = _instances(algorithm)
    return {
        "Containers": [{"Image": image}],
        "SupportedTransformInstanceTypes": instances,
        "SupportedRealtimeInferenceInstanceTypes": instances,
        "SupportedContentTypes": list(algorithm.answer.accepts),
        "SupportedResponseMIMETypes": list(algorithm.answer.responses),
    }


def request(name: str, image: str) -> dict[str, Any]:
    """The whole CreateAlgorithm call."""
    return {
        "AlgorithmName": name,
        "AlgorithmDescription": algorithms.find(name).summary[:1024],
        "TrainingSpecification": training(name, image),
        "InferenceSpecification": inference(name, image),
    }


def text(name: str) -> str:
    """A page for a terminal."""
    algorithm: Algorithm = algorithms.find(name)
    return "\n".join(_page(algorithm))


def _page(algorithm: Algorithm) -> Iterator[str]:
    yield f"{algorithm.title} ({algorithm.name}): {algorithm.summary}"
    yield f"After: {algorithm.source}."
    yield "\nChannels"
    for channel in algorithm.channels:
        need = "required" if channel.required else "optional"
        yield f"  {channel.name:<12} {need}; {channel.meaning}; {', '.join(channel.content_types)}"
    yield "\nHyperparameters"
    for setting in settings(algorithm.name):
        yield f"  {setting.name:<26} {setting.allowed}; {default(setting)}. {sentence(setting.meaning)}"
    yield "\nMetrics"
    for metric in algorithm.metrics:
        yield f"  {metric.name:<12} {metric.goal}; {metric.meaning}"
    yield "\nAnswers"
    for column in algorithm.answer.columns:
        yield f"  {column.name:<22} {column.meaning}"
    yield f"  requests: {', '.join(algorithm.answer.accepts)}"
    yield f"  answers:  {', '.join(algorithm.answer.responses)}"


def default(setting: Setting) -> str:
    """What holds where a user says nothing, in words."""
    if setting.required:
        return "required"
    return f"default {as_setting(setting.default)}" if setting.default is not None else "no default"


def sentence(words: str) -> str:
    """The words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def as_setting(value: object) -> str:
    """A value as a user writes it in a hyperparameter file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return json.dumps(list(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _hyperparameter(setting: Setting) -> dict[str, Any]:
    kind, bounds = _kind(setting)
    entry: dict[str, Any] = {
        "Name": setting.name,
        "Description": sentence(setting.meaning),
        "Type": kind,
        "IsTunable": setting.tune is not None and kind != "FreeText",
        "IsRequired": setting.required,
    }
    # A default must be a value of the type. Where it is a word such as `auto`, saying nothing means the same.
    if setting.default is not None and not (setting.default in setting.words and kind in ("Integer", "Continuous")):
        entry["DefaultValue"] = as_setting(setting.default)
    if bounds:
        entry["Range"] = bounds
    return entry


def _kind(setting: Setting) -> tuple[str, dict[str, Any]]:
    """Type and range of a hyperparameter in the words of the document."""
    if setting.kind in ("integer", "real"):
        # A number that may also be a word is free text, unless tuners search it: they need its range.
        if setting.words and setting.tune is None:
            return "FreeText", {}
        kind = "Integer" if setting.kind == "integer" else "Continuous"
        low, high = _ends(setting)
        return kind, {f"{kind}ParameterRangeSpecification": {"MinValue": as_setting(low), "MaxValue": as_setting(high)}}
    if setting.kind in ("choice", "boolean"):
        values = [*(setting.values or ("true", "false")), *setting.words]
        return "Categorical", {"CategoricalParameterRangeSpecification": {"Values": values}}
    return "FreeText", {}


def _ends(setting: Setting) -> tuple[float, float]:
    most = _WHOLE if setting.kind == "integer" else _REAL
    low = next((end for end in (setting.low, setting.above) if end is not None), -most)
    high = next((end for end in (setting.high, setting.below) if end is not None), most)
    return low, high


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "Name": channel.name,
        "Description": sentence(channel.meaning),
        "IsRequired": channel.required,
        "SupportedContentTypes": list(channel.content_types),
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": ["File", "Pipe", "FastFile"],
    }


def _instances(algorithm: Algorithm) -> list[str]:
    """Where it can run; on GPUs where both the algorithm and the image that is asked can use one."""
    gpu = algorithm.gpu and os.environ.get("ALGOPORT_FLAVOR") == "gpu"
    return [*CPU_INSTANCES, *(GPU_INSTANCES if gpu else ())]


def image_of(name: str) -> str:
    """What the images of this project are called."""
    return f"algoport/{name}:{os.environ.get('ALGOPORT_FLAVOR', 'cpu')}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="describe", description="What an algorithm accepts and reports.")
    parser.add_argument("name", nargs="?", default=os.environ.get("ALGORITHM"), help="the algorithm")
    parser.add_argument("--image", help="the image name that the document shall carry")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="a page for people")
    form.add_argument("--inference", action="store_true", help="the InferenceSpecification")
    form.add_argument("--algorithm", action="store_true", help="the whole CreateAlgorithm request")
    given = parser.parse_args(arguments)
    if not given.name:
        print("Which algorithm? Give its name, or set ALGORITHM.", file=sys.stderr)
        return 2
    try:
        algorithms.find(given.name)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.code
    if given.text:
        print(text(given.name))
        return 0
    make = inference if given.inference else request if given.algorithm else training
    print(json.dumps(make(given.name, given.image or image_of(given.name)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
