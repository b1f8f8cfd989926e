"""The functions of a script that serves: `model_fn`, `input_fn`, `predict_fn`, `output_fn`, `transform_fn`, and what is
done where it has none (contract, section 3.6)."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.scripts import content, frameworks
from algoport.containers.scripts.source import checked_entry

NAMES = ("pre_model_fn", "model_fn", "model_warmup_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")
STEPS = ("input_fn", "predict_fn", "output_fn")
USUAL = "inference.py"


@dataclass(frozen=True)
class Context:
    """What a function gets that takes one argument more."""

    system_properties: Mapping[str, Any]
    request_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Functions:
    """Those of a script; all are missing where a model is served without one."""

    given: Mapping[str, Callable[..., Any]]
    place: str  # of the script, in words

    @classmethod
    def of(cls, model: Path, environment: Mapping[str, str] = os.environ) -> Functions:
        """Of the script that the environment names, in the model's folder `code` or where else code lies. `UserError`
        where it is named and is nowhere, or has functions that exclude each other."""
        named = environment.get("SAGEMAKER_PROGRAM", "")
        entry = checked_entry(named or USUAL)
        folders = code_folders(model, environment)
        folder = next((one for one in folders if (one / entry).is_file()), None)
        if folder is None:
            if named:
                raise UserError(f"SAGEMAKER_PROGRAM: there is no {entry} in {' or '.join(map(str, folders))}.")
            return cls({}, "no script")
        module = _imported(folder, entry)
        given = {name: function for name in NAMES if callable(function := getattr(module, name, None))}
        double = [name for name in STEPS if name in given]
        if "transform_fn" in given and double:
            raise UserError(f"{entry}: has transform_fn, which stands for {', '.join(double)}; give one or the other.")
        return cls(given, str(folder / entry))

    def call(self, name: str, *words: Any, context: Context) -> Any:
        """The result of a function, which gets the context where it takes one argument more."""
        function = self.given[name]
        try:
            kinds = [one.kind for one in inspect.signature(function).parameters.values()]
        except (TypeError, ValueError):  # a builtin
            kinds = []
        positional = sum(
            kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds
        )
        more = (context,) if positional > len(words) else ()
        return function(*words, *more)

    def load(self, model: Path) -> Any:
        """The model, by `model_fn` or by the framework whose files are there."""
        context = Context({"model_dir": str(model), "gpu_id": None})
        if "pre_model_fn" in self.given:
            self.call("pre_model_fn", str(model), context=context)
        if "model_fn" in self.given:
            loaded = self.call("model_fn", str(model), context=context)
        else:
            loaded = frameworks.load(model, self.place)
        if "model_warmup_fn" in self.given:
            self.call("model_warmup_fn", str(model), loaded, context=context)
        return loaded

    def answer(self, model: Any, folder: Path, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Body and content type of the answer to a request."""
        context = Context({"model_dir": str(folder), "gpu_id": None}, {"Content-Type": content_type, "Accept": accept})
        if "transform_fn" in self.given:
            sent = content.as_given(body, content_type)
            return _answered(self.call("transform_fn", model, sent, content_type, accept, context=context), accept)
        if "input_fn" in self.given:
            data = self.call("input_fn", content.as_given(body, content_type), content_type, context=context)
        else:
            data = content.decode(body, content_type)
        if "predict_fn" in self.given:
            prediction = self.call("predict_fn", data, model, context=context)
        else:
            prediction = frameworks.predict(data, model)
        if "output_fn" in self.given:
            return _answered(self.call("output_fn", prediction, accept, context=context), accept)
        return content.encode(prediction, accept)


def code_folders(model: Path, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Where the code of a script that serves may lie, the likeliest first."""
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "").removeprefix("file://")
    named = [Path(submitted)] if submitted and "://" not in submitted else []
    return [*(one for one in named if one.is_dir()), model / "code", model.parent / "code"]


def _imported(folder: Path, entry: str) -> ModuleType:
    sys.path.insert(0, str(folder))
    name = entry.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, folder / entry)
    if spec is None or spec.loader is None:
        raise UserError(f"SAGEMAKER_PROGRAM: must be a Python program; it is {entry!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _answered(result: Any, accept: str) -> tuple[bytes, str]:
    """A body, or a body and its type, as functions give them."""
    body, kind = result if isinstance(result, tuple) and len(result) == 2 else (result, accept)
    if isinstance(body, str):
        return body.encode(), str(kind)
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), str(kind)
    return content.encode(body, str(kind))
