"""Data capture: what was asked and answered, as SageMaker writes it down for monitoring and for training again.

FOLDER/ENDPOINT/VARIANT/yyyy/mm/dd/hh/MM-SS-mmm-UUID.jsonl, a line a request that was answered. A thread of its own
encodes and writes whole lines; where the disk is slower than the requests, or full, requests are answered all the same
and what is left out is counted.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from algoport.algorithms.contract.errors import UserError
from algoport.containers.deployment.connection import Answer, Headers
from algoport.containers.deployment.fleet import Say

WAITING = 64 << 20  # bytes that wait to be written
ROLL = 128 << 20  # bytes of a file, after which there is another
LINES = 100  # records written at a time, at most
REPORT = 60.0  # seconds between two lines that say that something is left out
INFERENCE = b"x-amzn-sagemaker-inference-id"
Mode = Literal["Input", "Output", "InputAndOutput"]
MODES: tuple[Mode, ...] = ("Input", "Output", "InputAndOutput")


@dataclass(frozen=True, kw_only=True)
class CaptureSettings:
    """What is captured, and where it goes."""

    folder: Path
    percent: float = 100.0
    mode: Mode = "InputAndOutput"
    csv: Sequence[str] = ("text/csv",)  # content types whose bodies stand there as text
    json: Sequence[str] = ("application/json",)


@dataclass(frozen=True)
class _Record:
    moment: datetime
    variant: str
    asked: Headers
    body: bytes
    answer: Answer

    @property
    def size(self) -> int:
        return len(self.body) + len(self.answer.body)


@dataclass
class _File:
    path: Path
    size: int = 0


class Capture:
    """Writes requests and answers of an endpoint down, until it is closed."""

    def __init__(self, settings: CaptureSettings, endpoint: str, say: Say) -> None:
        """Raises `UserError` where the folder cannot be written to."""
        self._settings, self._say = settings, say
        self._base = settings.folder / endpoint
        try:
            self._base.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--capture: {self._base}: cannot be made: {error.strerror}.") from None
        if not os.access(self._base, os.W_OK | os.X_OK):
            raise UserError(f"--capture: {self._base}: cannot be written to.")
        self.written = self.left_out = 0
        self._files: dict[tuple[str, str], _File] = {}
        self._queue: queue.SimpleQueue[_Record | None] = queue.SimpleQueue()
        self._waiting, self._lock = 0, threading.Lock()
        self._reported = -REPORT
        self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
        self._thread.start()

    def wants(self) -> bool:
        """Whether the next request is of the sample."""
        return random.random() * 100 < self._settings.percent

    def note(self, variant: str, asked: Headers, body: bytes, answer: Answer) -> None:
        """Have one written, soon."""
        record = _Record(datetime.now(UTC), variant, asked, body, answer)
        with self._lock:
            if self._waiting + record.size > WAITING:
                self.left_out += 1
                return
            self._waiting += record.size
        self._queue.put(record)

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            records = [self._queue.get()]
            while not self._queue.empty() and len(records) < LINES:
                records.append(self._queue.get())
            is_open = None not in records
            self._write([record for record in records if record is not None])
            if self.left_out and time.monotonic() > self._reported + REPORT:
                self._reported = time.monotonic()
                self._say(f"Capture: {self.left_out:,} requests are left out, as {self._base} does not take them.")

    def _write(self, records: Sequence[_Record]) -> None:
        groups: dict[tuple[str, str], list[_Record]] = {}
        for record in records:
            groups.setdefault((record.variant, f"{record.moment:%Y/%m/%d/%H}"), []).append(record)
        for key, group in groups.items():
            try:
                self._append(key, group)
                self.written += len(group)
            except OSError:
                self.left_out += len(group)
                self._files.pop(key, None)  # it may end within a line
            with self._lock:
                self._waiting -= sum(record.size for record in group)

    def _append(self, key: tuple[str, str], group: Sequence[_Record]) -> None:
        """Write whole lines, to the file of their variant and hour."""
        data = b"".join(json.dumps(self._line(record)).encode() + b"\n" for record in group)
        file = self._files.get(key)
        if file is None or file.size > ROLL:
            for other in [known for known in self._files if known[0] == key[0]]:
                del self._files[other]  # of an hour that is over
            moment = group[0].moment
            name = f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            file = self._files[key] = _File(self._base / key[0] / key[1] / name)
            file.path.parent.mkdir(parents=True, exist_ok=True)
        with open(file.path, "ab", buffering=0) as out:
            start = out.tell()
            if out.write(data) != len(data):  # a disk that is full takes a part
                out.truncate(start)
                raise OSError
        file.size += len(data)

    def _line(self, record: _Record) -> dict[str, Any]:
        captured = {}
        if self._settings.mode != "Output":
            captured["endpointInput"] = self._half("INPUT", record.asked, record.body)
        if self._settings.mode != "Input":
            captured["endpointOutput"] = self._half("OUTPUT", record.answer.headers, record.answer.body)
        event = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{record.moment:%Y-%m-%dT%H:%M:%SZ}"}
        inference = next((value for name, value in record.asked if name == INFERENCE), None)
        if inference is not None:
            event["inferenceId"] = inference.decode("latin-1")
        return {"captureData": captured, "eventMetadata": event, "eventVersion": "0"}

    def _half(self, mode: str, headers: Headers, body: bytes) -> dict[str, str]:
        kind = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
        plain = kind.partition(";")[0].strip().lower()
        encoding = "CSV" if plain in self._settings.csv else "JSON" if plain in self._settings.json else "BASE64"
        try:
            data = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
        except UnicodeDecodeError:
            encoding, data = "BASE64", base64.b64encode(body).decode()
        return {"observedContentType": kind, "mode": mode, "data": data, "encoding": encoding}
