"""Which content type a request has, and which one its answer gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from algoport.algorithms.contract import Answer
from algoport.algorithms.shared import log
from algoport.serving.answers import answer_type
from algoport.serving.refusals import EVALUATE, Refusal
from algoport.training.formats import ContentType
from algoport.training.formats.recognition import media_of

START = 1 << 12  # bytes of a body by which its content type is recognized


def request_type(header: str | None, answer: Answer, body: bytes) -> ContentType:
    """What the body is. Where the header says so, that counts; without one it is what its first bytes plainly are, and
    where they leave a doubt, the documented default, where there is one.

    Refuses with 415 what the algorithm does not read, naming what it does.
    """
    header = (header or "").strip()
    if not header:
        plain = media_of(body[:START], answer.accepts, answer.default_accept)
        if plain is not None and plain != answer.default_accept:
            _note_recognized(plain)
        header = plain or answer.default_accept or ""
    asked = ContentType.parse(header)
    if asked.media in {ContentType.parse(known).media for known in answer.accepts}:
        return asked
    known = ", ".join(answer.accepts)
    if not header:
        raise Refusal(415, f"{EVALUATE}Content-Type is missing; this model reads {known}.")
    raise Refusal(415, f"{EVALUATE}Content-Type '{_excerpt(header)}' is not one this model reads: {known}.")


@functools.cache
def _note_recognized(media: str) -> None:
    log.note(f"Requests without a Content-Type that are plainly {media} by their first bytes are read as that.")


@dataclass(frozen=True)
class AnswerType:
    """The content type of an answer, and what came along with it in the `Accept` header."""

    media: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def header(self) -> str:
        """As it stands in the answer."""
        return f"{self.media}; charset=utf-8" if self.media.startswith("text/") else self.media


def accepted_type(header: str | None, answer: Answer, default: str) -> AnswerType:
    """The type that the request likes best among those that can be given; at equal liking the one named first.

    Nothing and `*/*` mean the default. Refuses with 406 where none will do, naming those there are.
    """
    can = [answer_type(media).media for media in answer.responses]
    default = answer_type(default).media
    ordered = [default, *(media for media in can if media != default)]
    ranges = [_range(entry) for entry in (header or "").split(",") if entry.strip()] or [(ContentType("*/*"), 1.0)]
    refused = {asked.media for asked, quality in ranges if quality <= 0}
    for asked, quality in sorted(ranges, key=lambda entry: -entry[1]):
        if quality <= 0:
            break
        for media in ordered:
            if media not in refused and _within(media, asked.media):
                return AnswerType(media, asked.parameters)
    known = ", ".join(answer.responses)
    raise Refusal(406, f"{EVALUATE}Accept '{_excerpt(header or '')}' names none that this model answers in: {known}.")


def _range(entry: str) -> tuple[ContentType, float]:
    asked = answer_type(entry)
    quality = asked.parameters.get("q", "1")
    others = {name: value for name, value in asked.parameters.items() if name != "q"}
    try:
        weight = float(quality)
    except ValueError:
        weight = 1.0
    return ContentType("*/*" if asked.media == "*" else asked.media, others), weight


def _within(media: str, asked: str) -> bool:
    return asked in (media, "*/*") or (asked.endswith("/*") and media.startswith(asked[:-1]))


def _excerpt(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
