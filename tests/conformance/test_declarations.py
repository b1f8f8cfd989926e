"""What an algorithm says of itself is true, complete, and what the original said."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.setting import Setting
from algoport.containers.jobs import describe
from algoport.training import formats
from algoport.training.examples import files
from tests.conformance import specification
from tests.conformance.conftest import promise
from tests.conformance.example import Example


def test_the_declaration_agrees_with_the_specification(example: Example) -> None:
    """But for the differences that the algorithm lists with their reasons, and all of those are there."""
    differences = list(specification.differences(example.name))

    assert [difference for difference in differences if difference not in example.algorithm.exceptions] == []


def test_its_declarations_load_neither_numba_nor_torch(example: Example) -> None:
    """A job reads them before it says where compiled kernels lie, and on how many threads they run."""
    heavy = "print([name for name in ('numba', 'torch') if name in sys.modules])"
    load = "from algoport import algorithms; algorithms.find(name); algorithms.part(name, 'hyperparameters')"

    program = f"import sys; name = {example.name!r}; {load}; {heavy}"
    place = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command, environment = [sys.executable, "-c", program], os.environ | place
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


def test_every_exception_is_of_a_promise_or_a_difference_and_has_a_reason(example: Example) -> None:
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    modules = [importlib.import_module(f"{__package__}.{file.stem}") for file in files]
    tests = [test for module in modules for name, test in vars(module).items() if name.startswith("test_")]
    known = {promise(test) for test in tests} | set(specification.differences(example.name))

    for sentence, reason in example.algorithm.exceptions.items():
        assert sentence in known, f"{sentence!r} is neither a promise nor a difference from the specification"
        assert len(reason.split()) > 2, f"{sentence!r} has no reason"


def limits(setting: Setting) -> Iterator[tuple[Any, bool]]:
    """The values at and one step beyond each limit, and whether they are to be accepted."""
    step = 1 if setting.kind == "integer" else None
    for declared, direction, reached in (
        (setting.low, -1, True),
        (setting.high, 1, True),
        (setting.above, -1, False),
        (setting.below, 1, False),
    ):
        if declared is None:
            continue
        bound = int(declared) if step else float(declared)
        inward = bound - direction if step else math.nextafter(bound, -direction * math.inf)
        outward = bound + direction if step else math.nextafter(bound, direction * math.inf)
        yield bound, reached
        yield (outward, False) if reached else (inward, True)
    for word in setting.words:
        yield from ((word, True), (f"{word}s", False))
    if setting.kind == "choice" or (setting.kind == "list" and setting.values):
        yield from ((value, True) for value in setting.values)
        yield "none of these", False
    if setting.kind == "boolean":
        yield from ((True, True), (False, True), ("maybe", False))
    if setting.kind in ("integer", "real"):
        yield from ((word, False) for word in ("a word", "nan", "inf") if word not in setting.words)
    yield from ((value, True) for value in setting.tune or ())
    if not setting.required and setting.default is not None:
        yield setting.default, True


def test_each_limit_is_accepted_and_one_step_beyond_is_refused(example: Example) -> None:
    """Alone, that is without what settings say of each other; a refusal names the setting first. Of a setting that
    changes nothing beside the others, any number is passed over."""
    checked = 0
    for setting in example.Hyperparameters.settings():
        if setting.name in example.Hyperparameters.without_effect(example.given):
            continue
        for value, accepted in limits(setting):
            given = {**example.given, setting.name: describe.as_setting(value)}
            findings = [
                each
                for each in specification.refused(example.Hyperparameters, given)
                if each.startswith(f"{setting.name}: must be {setting.allowed}; it is ")
            ]
            assert bool(findings) is not accepted, f"{setting.name}={value!r}: {findings or 'was accepted'}"
            checked += 1
    assert checked


def dialects(setting: Setting, value: Any) -> list[Any]:
    """The ways in which the contract says a value can arrive: plain, JSON, JSON within JSON, Python's str() and repr();
    then what clients in Python write beside: tuples, true and false for 1 and 0, whole numbers as floats."""
    plain = describe.as_setting(value)
    listed = list(value) if isinstance(value, tuple) else value
    ways: list[Any] = [plain, json.dumps(listed), json.dumps(plain), str(listed), f" {plain} ", value]
    if setting.kind in ("choice", "integer", "real") or isinstance(value, str):
        ways.append(f"'{plain}'" if setting.kind != "text" else json.dumps(plain))
    if isinstance(value, tuple):
        ways += [str(value), listed, ",".join(map(str, value))]
    if setting.is_flag or isinstance(value, bool):
        ways += ["True", "true", "yes", "1", "1.0", True] if value else ["False", "false", "no", "0", "0.0", False]
    elif setting.kind == "integer" and isinstance(value, int):
        ways += [f"{value}.0", f"{value:e}"] if abs(value) < 10**6 else [f"{value}.0"]
    return ways


def test_every_spelling_of_a_value_gives_the_same_value(example: Example) -> None:
    for setting in example.Hyperparameters.settings():
        values = [value for value, accepted in limits(setting) if accepted and value not in ("", ())]
        for value in [*values, *([example.given[setting.name]] if setting.name in example.given else [])]:
            read = [setting.read(written) for written in dialects(setting, value)]
            assert all(each == read[0] and type(each) is type(read[0]) for each in read), f"{setting.name}: {read}"


def test_the_settings_in_effect_read_back_as_themselves(example: Example) -> None:
    settings = example.Hyperparameters.read(example.given)

    texts = {name: describe.as_setting(value) for name, value in settings.effective().items() if value is not None}

    assert example.Hyperparameters.read(texts) == settings


def test_defaults_are_values_that_a_user_could_give(example: Example) -> None:
    for setting in example.Hyperparameters.settings():
        if not setting.required and setting.default not in (None, "", ()):
            assert setting.read(describe.as_setting(setting.default)) == setting.default, setting.name


def test_an_unknown_hyperparameter_is_reported_with_the_nearest_names(example: Example) -> None:
    # A name that begins with an underscore is passed over, as the services add several.
    for setting in [each for each in example.Hyperparameters.settings() if not each.name.startswith("_")]:
        wrong = f"{setting.name}z"
        (message,) = specification.refused(example.Hyperparameters, {**example.given, wrong: "1"})
        assert message.startswith(f"{wrong}: ")
        match = re.search(r"the nearest valid name(?:s are| is) (.*)\.$", message)
        assert match and setting.name in match.group(1).split(", "), message


def test_required_hyperparameters_that_are_missing_are_all_reported_in_one_sentence(example: Example) -> None:
    required = [setting.name for setting in example.Hyperparameters.settings() if setting.required]
    if not required:
        pytest.skip("nothing is required")

    (message,) = specification.refused(example.Hyperparameters, {})

    assert all(name in message for name in required)


def test_every_hyperparameter_is_explained_in_one_plain_phrase(example: Example) -> None:
    for setting in example.Hyperparameters.settings():
        assert 5 <= len(setting.meaning) <= 200 and not setting.meaning.endswith("."), setting.name
        assert setting.tune is None or len(setting.tune) >= 2, setting.name


def test_each_role_has_one_setting_at_most(example: Example) -> None:
    roles = [setting.role for setting in example.Hyperparameters.settings() if setting.role is not None]

    assert len(set(roles)) == len(roles)


def test_channels_and_answers_name_formats_that_there_are(example: Example) -> None:
    algorithm = example.algorithm
    for channel in algorithm.channels:
        assert channel.default_content_type in channel.content_types
        for media in channel.content_types if channel.kind != kinds.FILE else ():
            assert formats.find(media, channel.kind).MEDIA[0] == media, f"{media} is not a content type's own name"
    assert algorithm.answer.default_accept in (None, *algorithm.answer.accepts)
    assert algorithm.answer.default_response in algorithm.answer.responses
    assert {metric.channel for metric in algorithm.metrics} <= {channel.name for channel in algorithm.channels}


def test_the_example_uses_every_channel_and_only_declared_settings(example: Example) -> None:
    names = {setting.name for setting in example.Hyperparameters.settings()}

    assert set(example.given) <= names
    named = {channel.name for channel in example.algorithm.channels if channel.kind == kinds.FILE and channel.required}
    assert named <= set(files(example.name))
    assert set(example.rows()) == {channel.name for channel in example.algorithm.channels if channel.has_records}
