"""The words in which hyperparameters are declared.

A class of declarations is a frozen pydantic model. From it follow the reading of what a user wrote, the checks
and their sentences, the table of a page, the ranges that a tuner may search and the tests of the boundaries.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError, PydanticUndefined

from algoport.algorithms.contract.dialects import unquoted
from algoport.algorithms.contract.errors import UserError, one_line
from algoport.algorithms.contract.setting import Role, Scale, Setting, excerpt

AUTO = "auto"
REQUIRED: Any = PydanticUndefined
NOUN = "a hyperparameter of this algorithm"  # what a setting is, to stand after "is not"
_NOT_GIVEN = {"", "null", "None"}


def _words(auto: bool, words: Sequence[str] = ()) -> tuple[str, ...]:
    """The words beside numbers; `auto` is short for the one that most of them have."""
    return (*words, AUTO) if auto and AUTO not in words else tuple(words)


def _field(kind: str, meaning: str, default: Any, name: str | None, **facts: Any) -> Any:
    """A pydantic field that carries the declaration; `Settings` finds it there."""
    facts = {"kind": kind, "meaning": meaning, "default": default, "name": name, **facts}
    return Field(default, description=meaning, json_schema_extra={"setting": facts})


def integer(
    meaning: str,
    *,
    default: int | str | None = REQUIRED,
    low: int | None = None,
    high: int | None = None,
    auto: bool = False,
    words: Sequence[str] = (),
    tune: tuple[int, int] | None = None,
    scale: Scale = "Auto",
    name: str | None = None,
    aliases: Sequence[str] = (),
    role: Role | None = None,
    each_host: bool = False,
    remedy: str = "",
) -> Any:
    """A whole number, or one of `words`; `role` says what the platform knows it for."""
    return _field(
        "integer",
        meaning,
        default,
        name,
        low=low,
        high=high,
        words=_words(auto, words),
        tune=tune,
        scale=scale,
        aliases=aliases,
        role=role,
        each_host=each_host,
        remedy=remedy,
    )


def real(
    meaning: str,
    *,
    default: float | str | None = REQUIRED,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    auto: bool = False,
    words: Sequence[str] = (),
    tune: tuple[float, float] | None = None,
    scale: Scale = "Auto",
    name: str | None = None,
    aliases: Sequence[str] = (),
    remedy: str = "",
) -> Any:
    """A finite number, or one of `words`; `above` and `below` are bounds that are not reached themselves."""
    return _field(
        "real",
        meaning,
        default,
        name,
        low=low,
        high=high,
        above=above,
        below=below,
        words=_words(auto, words),
        tune=tune,
        scale=scale,
        aliases=aliases,
        remedy=remedy,
    )


def choice(
    meaning: str,
    *values: str,
    default: str | None = REQUIRED,
    tune: Sequence[str] | None = None,
    name: str | None = None,
    aliases: Sequence[str] = (),
) -> Any:
    """One word of several."""
    return _field("choice", meaning, default, name, values=values, tune=tune, aliases=aliases)


def boolean(
    meaning: str,
    *,
    default: bool | str | None = REQUIRED,
    auto: bool = False,
    tune: Sequence[bool] | None = None,
    name: str | None = None,
    aliases: Sequence[str] = (),
) -> Any:
    """True or false."""
    return _field("boolean", meaning, default, name, words=_words(auto), tune=tune, aliases=aliases)


def listing(
    meaning: str,
    *values: str,
    default: Sequence[Any] | str | None = REQUIRED,
    auto: bool = False,
    of: Literal["integer", "real"] | None = None,
    name: str | None = None,
    aliases: Sequence[str] = (),
    remedy: str = "",
) -> Any:
    """Several values; with `values`, only those, and at least one. `of`: they are numbers of that kind."""
    return _field(
        "list", meaning, default, name, words=_words(auto), values=values, of=of, aliases=aliases, remedy=remedy
    )


def text(meaning: str, *, default: str | None = REQUIRED, name: str | None = None, separated: bool = False) -> Any:
    """Any text; `separated`: items with commas between them, whichever way the list is written."""
    return _field("text", meaning, default, name, separated=separated)


@dataclass(frozen=True)
class _Twice:
    """Stands for a setting that was given under two of its names with two values; `name` is the second."""

    name: str


class Settings(BaseModel):
    """What a user may set. A subclass declares fields, and `faults` for what no single field can see."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, validate_default=False)
    _reserved: ClassVar[tuple[str, ...]] = ("_", "sagemaker_")
    _ignored: tuple[str, ...] = PrivateAttr(default=())  # sentences on what was given and is passed over

    @classmethod
    def settings(cls) -> list[Setting]:
        """The declarations, in their order."""
        return [cls._setting(field) for field in cls.model_fields]

    @classmethod
    @cache
    def _setting(cls, field: str) -> Setting:
        info = cls.model_fields[field]
        extra = info.json_schema_extra
        assert isinstance(extra, dict), f"{field} is not declared with a word of this module"
        facts: dict[str, Any] = dict(cast("Mapping[str, Any]", extra["setting"]))
        facts["name"] = facts["name"] or field
        facts["required"] = info.is_required()
        facts["default"] = None if info.is_required() else info.default
        return Setting(**facts)

    @classmethod
    def with_role(cls, role: Role) -> Setting | None:
        """The declaration that the platform knows for this, or None."""
        return next((setting for setting in cls.settings() if setting.role == role), None)

    def in_role(self, role: Role) -> int | None:
        """The whole number that was set for this; None where nothing is declared for it, or a word was given."""
        setting = self.with_role(role)
        value = None if setting is None else self.effective()[setting.name]
        return value if isinstance(value, int) else None

    def batch_of(self, hosts: int) -> int:
        """How many records a step takes on so many hosts together."""
        setting, size = self.with_role("batch"), self.in_role("batch")
        if setting is None or size is None:
            raise TypeError(f"{type(self).__module__} declares no whole number with the role 'batch'")
        return size * hosts if setting.each_host else size

    @classmethod
    def read(cls, given: Mapping[str, object], *, noun: str = NOUN) -> Self:
        """The settings that a user gave, as text in any dialect or as values. `UserError` names all faults; `noun`
        says what a setting is."""
        used, ignored = cls._used(given)
        try:
            settings = cls.model_validate(used)
        except ValidationError as error:
            raise UserError(list(cls._sentences(error, noun))) from None
        faults = list(settings.faults())
        if faults:
            raise UserError(faults)
        settings._ignored = ignored
        return settings

    @classmethod
    def without_effect(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """Names of settings that change nothing beside the others in `given`, with the reason: "is of regressors
        alone". Such a one is passed over with a note, and may have a value beyond its limits, as clients send."""
        return {}

    @classmethod
    def _used(cls, given: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
        """What was given but for the settings without effect, and a sentence on each of those."""
        used, ignored = dict(given), []
        for name, reason in cls.without_effect(given).items():
            setting = next(each for each in cls.settings() if each.name == name)
            value = given.get(name)
            if is_blank(value) or not setting.is_of_kind(value) or setting.is_default(value):
                continue
            del used[name]
            ignored.append(f"{name}: {excerpt(value)} is passed over, as {name} {reason}.")
        return used, tuple(ignored)

    def notices(self) -> Iterator[str]:
        """Sentences for the log on what was given and changes nothing."""
        yield from self._ignored

    def faults(self) -> Iterator[str]:
        """Sentences on what is wrong with the settings together; none by default."""
        yield from ()

    def effective(self) -> dict[str, Any]:
        """Every setting by the contract's name."""
        names = {field: self._setting(field).name for field in type(self).model_fields}
        return {name: getattr(self, field) for field, name in names.items()}

    @model_validator(mode="before")
    @classmethod
    def _given(cls, given: Any) -> Any:
        """Leaves out what counts as not given and the reserved names not asked for; resolves other names."""
        if not isinstance(given, Mapping):
            return given
        fields: dict[str, str] = {}
        for field in cls.model_fields:
            setting = cls._setting(field)
            fields |= {name: field for name in (setting.name, field, *setting.aliases)}
        by_field: dict[str, Any] = {}
        for name, value in given.items():
            reserved = name not in fields and name.startswith(cls._reserved)
            if not is_blank(value) and not reserved:
                field = fields.get(name) or name
                twice = field in by_field and str(by_field[field]) != str(value)
                by_field[field] = _Twice(name) if twice else value
        return by_field

    @field_validator("*", mode="before")
    @classmethod
    def _in_any_dialect(cls, given: Any, info: Any) -> Any:
        setting = cls._setting(info.field_name)
        try:
            if not isinstance(given, _Twice):
                return setting.read(given)
            sentence = f"{setting.name}: must be given once; it is given again, and differently, as {given.name}."
        except (ValueError, OverflowError, TypeError):
            sentence = setting.refusal(given)
        raise PydanticCustomError("setting", "{sentence}", {"sentence": sentence})

    @classmethod
    def _sentences(cls, error: ValidationError, noun: str) -> Iterator[str]:
        missing = []
        for fault in error.errors():
            field = str(fault["loc"][0]) if fault["loc"] else ""
            if fault["type"] == "missing":
                missing.append(cls._setting(field).name)
            elif fault["type"] == "extra_forbidden":
                yield cls._unknown(field, noun)
            elif fault["type"] == "setting":
                yield str(fault["ctx"]["sentence"])
            else:
                yield cls._setting(field).refusal(fault["input"])
        if missing:
            verb = "is a required hyperparameter and was" if len(missing) == 1 else "are required and were"
            yield f"{', '.join(missing)}: {verb} not given."

    @classmethod
    def _unknown(cls, name: str, noun: str) -> str:
        """The sentence on a name that there is not, with the nearest that there are; other names of a setting count,
        and neither case nor the kind of dash does."""
        names = {other: setting.name for setting in cls.settings() for other in (setting.name, *setting.aliases)}
        spelled = {_spelling(other): other for other in names}
        if _spelling(name) in spelled:
            near = [spelled[_spelling(name)]]
        else:
            matches = difflib.get_close_matches(_spelling(name), list(spelled), n=3, cutoff=0.5)
            near = list(dict.fromkeys(names[spelled[match]] for match in matches))
        nearest = "the nearest valid name is" if len(near) == 1 else "the nearest valid names are"
        hint = f"{nearest} {', '.join(near)}" if near else f"there are {', '.join(dict.fromkeys(names.values()))}"
        return f"{one_line(name, 80)}: is not {noun}; {hint}."


def _spelling(name: str) -> str:
    """A name as it is compared with others."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def is_blank(value: object) -> bool:
    """Whether it counts as not given."""
    return value is None or (isinstance(value, str) and unquoted(value) in _NOT_GIVEN)
