"""What the environment says about how to serve. A value that cannot be is a `UserError` of one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.serving.surroundings import nearest

MB = 1 << 20
DEFAULT_PAYLOAD = 100 * MB
TRANSFORM_PAYLOAD = 6  # MB of a batch request where nobody says otherwise, as the platform's own default is
SMALL_MEMORY = 4_000_000_000  # bytes below which there is one worker
WORKER_MEMORY = 600 * MB  # what a worker may come to need beside the model: libraries, a body, its rows, its answer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How this server is set up."""

    base: Path
    port: int
    workers: int
    threads: int  # with which one prediction computes
    concurrent: int  # predictions of a worker at a time
    a_model: int | None  # predictions of one model at a time, in multi-model mode
    waiting: int  # requests of a worker that may wait for their prediction
    timeout: float  # seconds after which a request is given up
    startup: float  # seconds after which a start is given up
    payload: int  # bytes of a body, as sent and as decompressed
    payload_given: bool  # whether that was asked for
    accept: str | None  # what an answer is where the request does not say
    batch: bool
    joined: bool  # whether a CSV answer has its records in one line, and vectors in brackets
    local_batch: bool  # the batch mode of the SDK on one machine, which words one thing otherwise
    multi_model: bool
    gpu: bool
    log_level: int
    access_log: str

    @property
    def model(self) -> Path:
        """Where the model lies."""
        return self.base / "model"

    @classmethod
    def read(cls, environment: Mapping[str, str], *, gpu: Callable[[], bool]) -> Settings:
        """From the environment. `gpu` says whether the algorithm computes on one; asked where there is one."""
        given = _Environment(environment)
        multi = given.flag("SAGEMAKER_MULTI_MODEL")
        on_gpu = any(name.startswith("nvidia") and name[6:].isdigit() for name in _devices()) and gpu()
        asked = [given.integer(name, 1, 1024) for name in ("SAGEMAKER_MODEL_SERVER_WORKERS", "MODEL_SERVER_WORKERS")]
        workers = 1 if multi else asked[0] or asked[1] or _workers(on_gpu)
        cores = machine.cores()
        threads = given.integer("OMP_NUM_THREADS", 1, 4096) or max(1, cores // workers)
        batch = given.flag("SAGEMAKER_BATCH")
        given.integer("ALGOPORT_CORES", 1, 1 << 20)  # which others read
        given.integer("ALGOPORT_MEMORY", 1 << 20, 1 << 60)
        return cls(
            base=Path(given.text("SAGEMAKER_BASE_DIR") or "/opt/ml"),
            port=given.integer("SAGEMAKER_BIND_TO_PORT", 1, 65535) or 8080,
            workers=workers,
            threads=threads,
            # Two at least, so that a small request need not wait for the end of a large one.
            concurrent=given.integer("ALGOPORT_CONCURRENT_PREDICTIONS", 1, 1024) or max(2, cores // workers),
            a_model=given.integer("SAGEMAKER_NUM_MODEL_WORKERS", 1, 1024),
            waiting=given.integer("ALGOPORT_WAITING_REQUESTS", 0, 4096, 64) or 0,
            timeout=given.seconds(("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "SAGEMAKER_MODEL_SERVER_TIMEOUT"), 60),
            startup=given.seconds(("SAGEMAKER_STARTUP_TIMEOUT",), 600),
            payload=_payload(given),
            payload_given=bool(given.text("SAGEMAKER_MAX_PAYLOAD_IN_MB")),
            accept=given.text("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or None,
            batch=batch,
            local_batch=given.text("SAGEMAKER_BATCH") == "True",
            joined=given.word("ALGOPORT_CSV_ANSWERS", "lines", "joined") == "joined",
            multi_model=multi,
            gpu=on_gpu,
            log_level=given.integer("SAGEMAKER_CONTAINER_LOG_LEVEL", 0, 100, 20) or 0,
            access_log=given.word("ALGOPORT_ACCESS_LOG", "text", "json"),
        )

    @property
    def execution(self) -> dict[str, object]:
        """What batch transform reads: as many requests at a time as there are workers, 100 MB in all at most."""
        size = max(1, min(self.payload // MB, 100))
        if not self.payload_given:
            size = min(size, TRANSFORM_PAYLOAD)
        concurrent = max(1, min(max(self.workers, self.concurrent if self.multi_model else 1), 100 // size))
        strategy = "MultiRecord" if self.local_batch else "MULTI_RECORD"
        return {"MaxConcurrentTransforms": concurrent, "BatchStrategy": strategy, "MaxPayloadInMB": size}


class _Environment:
    """The environment; what is empty counts as not given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in ("", "true", "false", "1", "0"):
            raise UserError(f"{name}: must be true or false; it is '{self.text(name)}'.")
        return text in ("true", "1")

    def word(self, name: str, *words: str) -> str:
        """One of these, in any case; empty where nothing is given."""
        text = self.text(name)
        if text and text.lower() not in words:
            near = nearest(text, words)
            raise UserError(f"{name}: must be {' or '.join(words)}; it is '{text}'.{near}")
        return text.lower()

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or not low <= int(text) <= high:
            raise UserError(f"{name}: must be a whole number from {low} to {high}; it is '{text}'.")
        return int(text)

    def seconds(self, names: tuple[str, ...], default: float) -> float:
        for name in names:
            text = self.text(name)
            if text:
                try:
                    value = float(text)
                except ValueError:
                    value = -1.0
                if not 0 < value <= 86400:
                    raise UserError(f"{name}: must be a number of seconds above 0, 86400 at most; it is '{text}'.")
                return value
        return default


def _payload(given: _Environment) -> int:
    megabytes = given.integer("SAGEMAKER_MAX_PAYLOAD_IN_MB", 0, 1024)
    if megabytes:  # 0 is the platform's word for one object a request, of any size
        return megabytes * MB
    return given.integer("MAX_CONTENT_LENGTH", 1, 1 << 40) or DEFAULT_PAYLOAD


def _workers(gpu: bool) -> int:
    """One a core, as long as the memory lasts; one alone on a GPU, whose context processes cannot share."""
    memory = machine.memory_limit()
    if gpu or memory is None or memory < SMALL_MEMORY:
        return 1
    return max(1, min(machine.cores(), memory // WORKER_MEMORY))


def _devices() -> list[str]:
    try:
        return os.listdir("/dev")
    except OSError:
        return []
