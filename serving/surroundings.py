"""Options of predictions that the environment sets: read and checked once, at start, so that a misspelled one ends the
start with a sentence and does not refuse each request."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.setting import Setting

_NOUN = "an option of this model"


def read(names: Iterable[str], environment: Mapping[str, str], options: Any) -> dict[str, object]:
    """The options that variables of these names set, by field: one a variable, or many in a JSON object. `UserError`
    names the variable, what it may be and the nearest of that. Case does not matter."""
    settings: list[Setting] = options.settings()
    fields = {name: setting for setting in settings for name in (setting.name, *setting.aliases)}
    given: dict[str, object] = {}
    for name in names:
        text = environment.get(name, "").strip()
        if not text:
            continue
        own = {fields[name].name: text} if name in fields else _object(name, text)
        own = {key: _in_declared_case(value, fields.get(key)) for key, value in own.items()}
        try:
            options.read(own, noun=_NOUN)
        except UserError as error:
            raise UserError([_sentence(name, text, finding, fields.get(name)) for finding in error.findings]) from None
        given |= {fields[key].name if key in fields else key: value for key, value in own.items()}
    return given


def nearest(text: str, allowed: Sequence[str]) -> str:
    """A sentence that names the nearest of what is allowed, with a blank in front; empty where nothing is near."""
    by_lower = {value.lower(): value for value in allowed}
    near = difflib.get_close_matches(text.strip().lower(), by_lower, n=1, cutoff=0.6)
    return f" The nearest of them is {by_lower[near[0]]}." if near else ""


def _object(name: str, text: str) -> dict[str, object]:
    import orjson

    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{name}: must be a JSON object of options; it is {text[:60]!r}.")
    return value


def _in_declared_case(value: object, setting: Setting | None) -> object:
    """The words of a choice, or of a list, as they were declared; all else as it is."""
    if setting is None or not setting.values:
        return value
    declared = {word.lower(): word for word in setting.values}
    if isinstance(value, str) and setting.kind == "list" and not value.startswith(("[", "(")):
        return [declared.get(word.strip().lower(), word.strip()) for word in value.split(",")]
    if isinstance(value, str):
        return declared.get(value.strip().lower(), value)
    if isinstance(value, list):
        return [declared.get(word.lower(), word) if isinstance(word, str) else word for word in value]
    return value


def _sentence(name: str, text: str, finding: str, setting: Setting | None) -> str:
    """What is wrong with a variable, in words of the variable."""
    if setting is None:
        return f"{name}: {finding}"
    near = next((word for part in text.split(",") if (word := _near(part, setting))), "")
    return f"{name}: must be {setting.allowed}; it is '{text[:80]}'.{near}"


def _near(part: str, setting: Setting) -> str:
    known = part.strip().lower() in {word.lower() for word in setting.values}
    return "" if known else nearest(part, setting.values)
