"""What an algorithm's `wire.py` may define: how its requests and answers look in a content type where that is odd.

The module is optional and found by its name. What it leaves out follows from `ALGORITHM.answer` and the shared formats.

    REQUESTS: Mapping[str, RequestForm]   by content type: how a body is parsed beyond the shared formats
    ANSWERS: Mapping[str, AnswerForm]     by content type: what is written instead of the columns as they are
    BATCH_RESPONSE: str                   the content type that batch transform gets where nobody says, if another
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from algoport.algorithms.contract.records import Records


@dataclass(frozen=True, kw_only=True)
class RequestForm:
    """How a request of one content type is read."""

    # From a body and what messages call it; `UserError` in one sentence where it is not what it must be. The body is
    # untrusted, and no larger than the server lets requests be.
    read: Callable[[bytes, str], Records]
    write: Callable[[Any], bytes]  # what `read` reads back as the same records
    schema: Mapping[str, Any]  # JSON Schema, for the description of the server


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is to be written."""

    columns: Mapping[str, Any]  # those of the answer in their order, each with an entry a record, typed as declared
    records: Records
    batch: bool = False  # whether for batch transform


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """How an answer of one content type looks. No bytes are made here: that is the platform's part."""

    # The content: of JSON a value, of JSON Lines a value a line, of RecordIO `Message`s, of PNG one array of pixels, of
    # .npy an array; of any type bytes, which are sent as they are. Arrays may stand where JSON has lists.
    content: Callable[[Prediction], Any]
    entries: Callable[[Any], Sequence[Mapping[str, Any]]]  # of JSON: from such a value the columns again, one a record
    schema: Mapping[str, Any]  # JSON Schema, for the description of the server


@dataclass(frozen=True, kw_only=True)
class Message:
    """One record of an answer in RecordIO: arrays by name; whole numbers become int32 tensors, others float32."""

    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    label: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What is odd about the requests and answers of one algorithm."""

    requests: Mapping[str, RequestForm] = field(default_factory=dict)
    answers: Mapping[str, AnswerForm] = field(default_factory=dict)
    batch_response: str = ""

    @classmethod
    def of(cls, module: ModuleType | None) -> Wire:
        """What a module `wire` defines; nothing is odd where there is none."""
        return cls(
            requests=getattr(module, "REQUESTS", {}),
            answers=getattr(module, "ANSWERS", {}),
            batch_response=getattr(module, "BATCH_RESPONSE", ""),
        )
