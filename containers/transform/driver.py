"""A transform from its request to its outputs: at each instance a window of requests, answers taken in their order."""

from __future__ import annotations

import shutil
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.containers.endpoints.server import Endpoint
from algoport.containers.transform.inputs import Item
from algoport.containers.transform.ledger import FOLDER, Ledger
from algoport.containers.transform.output import Failure, Output
from algoport.containers.transform.request import MB, MOST_MB, TransformRequest
from algoport.containers.transform.sending import Asking, Client, Lost, Refused
from algoport.containers.transform.splitting import Cut, Malformed, Piece

DEFAULTS: Mapping[str, Any] = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 6}
AHEAD = 2  # requests in the window for each that is on its way, so that none waits for a body to be cut
TRIED = 1000  # failures of an object before it is given up, if they are most of its records
MOST_NAMED = 20  # objects without output that are named one by one
UNITS = {"None": "record", "Line": "line", "RecordIO": "record", "TFRecord": "record"}


@dataclass
class Progress:
    """What has been done so far; read by who shows it."""

    objects: int  # how many there are
    size: int  # bytes of them all
    before: int = 0  # objects that were done already
    done: int = 0
    records: int = 0
    read: int = 0  # bytes of requests whose answers have been written
    failures: int = 0  # records that have no answer
    failed: list[str] = field(default_factory=list)  # a sentence for each object without output
    lost: bool = False  # whether one has none for a reason that is not in the data


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a transform is carried out: what was asked for, completed by what the container says."""

    concurrent: int
    cut: Cut
    whole: bool  # an object a request, of any size

    @classmethod
    def of(cls, request: TransformRequest, said: Mapping[str, Any], most: int | None) -> Plan:
        """By the request, then what the container says, then the defaults."""
        asked = {
            "MaxConcurrentTransforms": request.MaxConcurrentTransforms or None,
            "BatchStrategy": request.BatchStrategy,
            "MaxPayloadInMB": request.MaxPayloadInMB,
        }
        chosen = {name: asked[name] if asked[name] is not None else said.get(name, DEFAULTS[name]) for name in DEFAULTS}
        strategy = str(chosen["BatchStrategy"]).replace("_", "").lower()
        concurrent, payload = _whole(chosen["MaxConcurrentTransforms"], 1), _whole(chosen["MaxPayloadInMB"], 6)
        payload = min(payload, MOST_MB)
        if not request.MaxConcurrentTransforms and payload:
            concurrent = max(1, min(concurrent, MOST_MB // payload))
        split = request.TransformInput.SplitType
        cut = Cut(split=split, single=strategy == "singlerecord", limit=payload * MB, most=most)
        return cls(concurrent=max(1, concurrent), cut=cut, whole=payload == 0)


def _whole(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value <= 10_000 else default


class Transform:
    """One that writes to a folder; whoever runs it again goes on where it was."""

    def __init__(
        self,
        request: TransformRequest,
        items: Sequence[Item],
        output: Path,
        *,
        model: Mapping[str, Any],
        most: int | None = None,
        keep_going: bool = False,
        again: bool = False,
    ) -> None:
        """`model`: what says whose answers they are. `most`: records of a request. `again`: forget what is there."""
        self.request, self.items, self.output = request, items, output
        self._most, self._keep_going = most, keep_going
        if output.exists() and not output.is_dir():
            raise UserError(f"{output}: must be a folder, and is a file.")
        output.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(output)
        if again:
            self._forget()
        self.ledger.agree(output, {**_identity(request, most), **model})
        self.progress = Progress(objects=len(items), size=sum(item.size for item in items))
        self._stopped = threading.Event()
        self._outputs = self._left()

    def _forget(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.output / FOLDER)
        self.ledger = Ledger(self.output)

    def _left(self) -> Iterator[Output]:
        """The objects that are not done, each once, whoever asks."""
        unit = UNITS[self.request.TransformInput.SplitType]
        for item in self.items:
            output = Output(item, self.output, self.ledger, unit)
            if output.is_done:
                self.progress.done += 1
                self.progress.before += 1
                self.progress.read += item.size
                self.progress.failures += output.position.failures
            else:
                self.progress.read += output.position.offset
                yield output

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, so that no server is needed."""
        outputs = list(self._outputs)
        self._outputs = iter(outputs)
        return not outputs

    def stop(self) -> None:
        """Have `run` end soon; what is done is kept."""
        self._stopped.set()

    @property
    def was_stopped(self) -> bool:
        """Whether that was asked for."""
        return self._stopped.is_set()

    def run(self, endpoints: Sequence[Endpoint]) -> None:
        """Do what is left, whole objects to whichever endpoint is free. How it went is in `progress`."""
        lock = threading.Lock()

        def following() -> Output | None:
            with lock:
                return None if self._stopped.is_set() else next(self._outputs, None)

        with ThreadPoolExecutor(len(endpoints)) as pool:
            runs = [pool.submit(self._instance, endpoint, following) for endpoint in endpoints]
            try:
                for run in runs:
                    while not wait([run], 0.05).done:  # between which signals are seen
                        pass
                    run.result()
            except BaseException:
                self._stopped.set()
                raise

    def close(self) -> None:
        """Let go of the output's folder."""
        self.ledger.close()

    def _instance(self, endpoint: Endpoint, following: Callable[[], Output | None]) -> None:
        client = self._client(endpoint)
        plan = self._plan(client)
        asking = Asking(
            client=client,
            processing=self.request.processing,
            newline=self.request.TransformOutput.AssembleWith == "Line",
            keep_going=self._keep_going,
        )
        with ThreadPoolExecutor(plan.concurrent) as pool:
            window = _Window(self, plan, asking, pool)
            try:
                while not window.is_lost and (output := following()) is not None:
                    window.send(output)
                window.empty()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        client.close()

    def _client(self, endpoint: Endpoint) -> Client:
        given, config = self.request, self.request.ModelClientConfig
        headers = {"Content-Type": given.TransformInput.ContentType, "Accept": given.accept}
        return Client(
            endpoint.url,
            {name: value for name, value in headers.items() if value},
            connections=max(1, given.MaxConcurrentTransforms or 64),
            timeout=config.InvocationsTimeoutInSeconds,
            retries=config.InvocationsMaxRetries,
            fault=endpoint.fault,
            stopped=self._stopped,
        )

    def _plan(self, client: Client) -> Plan:
        """What the container said the first time, which decides where requests end, also when it is resumed."""
        said = self.ledger.fact("parameters")
        if said is None:
            said = client.parameters()
            self.ledger.note_fact("parameters", said)
        return Plan.of(self.request, said, self._most)


def _identity(request: TransformRequest, most: int | None) -> dict[str, Any]:
    """What decides on the bytes of outputs, beside the objects."""
    given, put = request.TransformInput, request.TransformOutput
    return {
        "ContentType": given.ContentType,
        "CompressionType": given.CompressionType,
        "SplitType": given.SplitType,
        "Accept": put.Accept,
        "AssembleWith": put.AssembleWith,
        "BatchStrategy": request.BatchStrategy,
        "MaxPayloadInMB": request.MaxPayloadInMB,
        "DataProcessing": request.DataProcessing.model_dump(),
        "Environment": dict(request.Environment),
        "records": most,
    }


@dataclass
class _Sent:
    """A request on its way; without one, the end of its object."""

    output: Output
    piece: Piece | None = None
    answer: Future[tuple[bytes, list[Failure]]] | None = None


class _Window:
    """The requests of one instance that are on their way or wait for it, in the order of their records."""

    def __init__(self, transform: Transform, plan: Plan, asking: Asking, pool: ThreadPoolExecutor) -> None:
        self._transform, self._plan, self._asking, self._pool = transform, plan, asking, pool
        self._progress, self._keep_going = transform.progress, transform._keep_going
        self._sent: deque[_Sent] = deque()
        self.is_lost = False  # the endpoint has ended

    def send(self, output: Output) -> None:
        """Send an object, and take the answers for which there is no more room."""
        try:
            if self._plan.whole:
                self._send_whole(output)
            else:
                self._send_pieces(output)
        except Malformed as error:
            self._fail(output, f"{output.item.name}, {error}")
        except (EOFError, zlib.error) as error:
            self._fail(output, f"{output.item.name}: cannot be decompressed: {unpacking_fault(error)}.")
        except OSError as error:
            why = unpacking_fault(error) if error.strerror is None else error.strerror
            self._fail(output, f"{output.item.name}: cannot be read: {why}.")
        self._sent.append(_Sent(output))

    def _send_pieces(self, output: Output) -> None:
        start = output.position
        with output.item.open(self._transform.request.TransformInput.CompressionType == "Gzip") as stream:
            stream.seek(start.offset)
            for piece in self._plan.cut.pieces(stream, start.offset, start.record):
                self._make_room()
                if output.failure is not None or self._transform.was_stopped:
                    return
                self._sent.append(_Sent(output, piece, self._pool.submit(self._answer, piece)))

    def _answer(self, piece: Piece) -> tuple[bytes, list[Failure]]:
        if piece.fault is not None:
            return b"", [Failure(piece.first, piece.fault, by_container=False)]
        if not piece.body or piece.body.isspace():
            return b"", []
        return self._asking.whole(piece.body, lambda: self._plan.cut.records(piece))

    def _send_whole(self, output: Output) -> None:
        item, compressed = output.item, self._transform.request.TransformInput.CompressionType == "Gzip"
        output.path.parent.mkdir(parents=True, exist_ok=True)

        def stream() -> tuple[bytes, list[Failure]]:
            try:
                output.streamed(self._asking.client.stream(lambda: item.open(compressed), output.part))
            except Refused as refused:
                return b"", [Failure(1, refused.message, refused.status)]
            return b"", []

        self._make_room()
        self._sent.append(_Sent(output, None, self._pool.submit(stream)))

    def _make_room(self) -> None:
        while len(self._sent) >= AHEAD * self._plan.concurrent:
            self._take()

    def empty(self) -> None:
        """Take all answers that are still to come."""
        while self._sent:
            self._take()

    def _take(self) -> None:
        sent = self._sent.popleft()
        try:
            self._settle(sent)
        except OSError as error:
            raise PlatformError(f"{sent.output.path}: cannot be written: {error.strerror or error}.") from None

    def _settle(self, sent: _Sent) -> None:
        output = sent.output
        if output.failure is not None:
            return
        if sent.answer is None:
            self._end(output)
            return
        try:
            result, failures = sent.answer.result()
        except Lost as error:
            if self._transform.was_stopped:
                output.leave()
                output.failure = "stopped"
            else:
                self._progress.lost = True
                self.is_lost = self.is_lost or error.ended
                self._fail(output, f"{output.item.name}: {error}", resumable=True)
            return
        except Refused as error:
            self._fail(output, f"{output.item.name}: the container refuses it ({error.status}): {error.message}")
            return
        if failures and not self._keep_going:
            self._fail(output, failures[0].sentence(output.item, output.unit))
        elif failures and self._plan.cut.split == "None":
            output.refuse(failures)
            self._progress.failures += len(failures)
            self._progress.done += 1
        elif sent.piece is not None:
            self._write(output, sent.piece, result, failures)

    def _write(self, output: Output, piece: Piece, result: bytes, failures: list[Failure]) -> None:
        before = output.position
        output.add(result, failures, offset=piece.stop, record=piece.following)
        self._progress.records += piece.following - piece.first
        self._progress.failures += len(failures)
        self._progress.read += piece.stop - before.offset
        failed, seen = output.position.failures, output.position.record - 1
        if failures and failed >= TRIED and 2 * failed > seen:
            why = failures[-1].sentence(output.item, output.unit)
            self._fail(output, f"{output.item.name}: {failed:,} of its first {seen:,} records fail. The last: {why}")

    def _end(self, output: Output) -> None:
        if self._transform.was_stopped:
            output.leave()
            return
        if self._plan.whole:
            self._progress.records += 1
            self._progress.read += output.item.size
        output.finish()
        self._progress.done += 1

    def _fail(self, output: Output, sentence: str, *, resumable: bool = False) -> None:
        if output.failure is None:
            output.fail(sentence, resumable=resumable)
            self._progress.failed.append(sentence)


def check(progress: Progress) -> None:
    """Nothing where every object has its output; otherwise an error with a sentence for each that has none."""
    if not progress.failed:
        return
    sentences = progress.failed[:MOST_NAMED]
    others = progress.objects - progress.done - len(sentences)
    if others > 0:
        sentences.append(f"{others} more objects have no output.")
    raise PlatformError("\n".join(sentences)) if progress.lost else UserError(sentences)
