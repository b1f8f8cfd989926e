"""The server: gunicorn's configuration, and what each worker does."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import platform
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from algoport.algorithms import ahead
from algoport.algorithms.contract import Model
from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.shared import machine
from algoport.serving import app, log, models, room
from algoport.serving.metrics import Metrics
from algoport.serving.peers import Peers
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import LOAD
from algoport.serving.settings import Settings

STOP = 7  # seconds that running requests have after a SIGTERM; the harshest platform kills after 10
SPARE = 8  # threads beyond those of requests that have a place, which say to others that there is none


def run(settings: Settings, name: str, began: float) -> int:
    """Serve until a SIGTERM; the exit code. Raises `AlgoportError` where it cannot begin."""
    predictor = Predictor.of(
        name,
        default=settings.accept,
        batch=settings.batch,
        joined=settings.joined,
        limit=_budget(settings),
        environment=os.environ,
    )
    return serve(settings, predictor, began, ahead=not (settings.multi_model or settings.gpu), kind=Server)


def serve(settings: Settings, predictor: Predictor, began: float, *, ahead: bool, kind: type[Server]) -> int:
    """Serve what a predictor answers; with `ahead` the model is loaded once, before there are workers."""
    machine.raise_descriptors()
    listener = _bind(settings.port)
    model = load_model(predictor, settings) if ahead else None
    parent, code = os.getpid(), 0
    server = kind(settings, predictor, model, listener, began)
    try:
        Parent(server).run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        if code in (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR):  # why stands in the log
            code = UserError.code if server.blames_user else PlatformError.code
    if os.getpid() != parent:  # a worker that was ended
        sys.stdout.flush()
        os._exit(code)
    return code


def load_model(predictor: Predictor, settings: Settings) -> Model:
    """The model of single-model mode; one clear sentence where there is none."""

    def late(*_: object) -> None:
        raise PlatformError(f"{LOAD}{settings.model}: took longer than {settings.startup:g} seconds.")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, settings.startup)
    try:
        return predictor.load(settings.model)
    except PlatformError:
        raise
    except UserError as error:
        raise UserError(f"{LOAD}{settings.model}: {' '.join(error.findings)}") from None
    except Exception as error:
        raise PlatformError(f"{LOAD}{settings.model}: {type(error).__name__}: {error}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _bind(port: int) -> socket.socket:
    """The port, before anything that takes time: a port that is taken should be reported at once."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 (as the contract says)
    except OSError as error:
        raise PlatformError(f"Port {port}: cannot be listened on: {error.strerror}.") from None
    return listener


class Parent(Arbiter):  # type: ignore[misc]
    """The process that keeps the workers alive. It ends with a SIGTERM, SIGINT or SIGQUIT and passes over what else
    gunicorn would do at signals: reload settings, which come from the environment and cannot change, or have other
    workers than it was told, which would not know the models of multi-model mode."""

    def handle_hup(self) -> None:
        """Passed over, like the others."""
        self._pass_over("SIGHUP")

    def handle_ttin(self) -> None:
        """As SIGHUP."""
        self._pass_over("SIGTTIN")

    def handle_ttou(self) -> None:
        """As SIGHUP."""
        self._pass_over("SIGTTOU")

    def handle_usr1(self) -> None:
        """As SIGHUP."""
        self._pass_over("SIGUSR1")

    def handle_usr2(self) -> None:
        """As SIGHUP."""
        self._pass_over("SIGUSR2")

    def handle_winch(self) -> None:
        """A terminal has changed its size; nothing is said of it."""

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """End, with that code; nobody else's end matters any more."""
        self._ends = True
        super().halt(reason, exit_status)

    def reap_workers(self) -> None:
        """As gunicorn does. Where all workers fail to begin, the first one ends the server, and the others, which end
        meanwhile, would do so once more."""
        try:
            super().reap_workers()
        except HaltServer:
            if not getattr(self, "_ends", False):
                raise

    def _pass_over(self, name: str) -> None:
        how = "load another model beside it" if self.app.settings.multi_model else "start another server"
        log.note(f"{name} is passed over: nothing is reloaded while the server runs. For another model, {how}.")


class Server(BaseApplication):  # type: ignore[misc]
    """The server: gunicorn's configuration, and what each worker does."""

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor,
        model: Model | None,
        listener: socket.socket,
        began: float,
    ) -> None:
        self.settings, self.predictor, self.model = settings, predictor, model
        self._socket, self._began = listener, began
        self.peers, self.metrics = Peers(), Metrics(app.ROUTES)
        self._blame = mmap.mmap(-1, 1)  # of all workers, and read by the parent: whether a user can correct it
        super().__init__()

    @property
    def blames_user(self) -> bool:
        """Whether some worker could not begin because of what its user can change."""
        return self._blame[0] != 0

    def load_config(self) -> None:
        """Gunicorn's settings; none are read from files."""
        settings = self.settings
        threads = settings.concurrent + settings.waiting + SPARE
        for name, value in {
            "bind": f"fd://{self._socket.detach()}",
            "workers": settings.workers,
            "worker_class": "algoport.serving.worker.Worker",
            "threads": threads,
            "keepalive": 65,  # longer than the platform's proxies keep a connection idle
            # Of a worker's main loop, not of a request: a prediction that does not let go of the interpreter.
            "timeout": int(settings.timeout) + 30,
            "graceful_timeout": STOP,
            "worker_tmp_dir": _quick_folder(),
            "control_socket_disable": True,
            "logger_class": "algoport.serving.log.Gunicorn",
            "proc_name": "algoport-serve",
            "when_ready": self._listening,
            "pre_fork": lambda arbiter, worker: gc.freeze(),
            "post_fork": self._on_fork,
            "child_exit": self._on_exit,
        }.items():
            if name in self.cfg.settings:  # older releases have no control socket
                self.cfg.set(name, value)

    def load(self) -> Any:
        """A worker's application; its first prediction runs beside it."""
        settings = self.settings
        warm, state, table = threading.Event(), _WorkerModel(self.model), None
        places = room.Room(
            concurrent=settings.concurrent,
            waiting=settings.waiting,
            timeout=settings.timeout,
            budget=_budget(settings),
            stuck=self._stuck,
            count=self.metrics.inside,
        )

        def model() -> Model:
            warm.wait(settings.startup)
            assert state.model is not None
            return state.model

        if settings.multi_model:
            table = models.Table(self._loaded_and_warm, a_model=settings.a_model, count=self.metrics.models)
            self.peers.be_ready()
        else:
            threading.Thread(target=self._warm_up, args=(state, warm), daemon=True).start()
        return app.application(
            app.Service(
                settings=settings,
                predictor=self.predictor,
                room=places,
                metrics=self.metrics,
                ready=self.peers.anyone,
                model=None if settings.multi_model else model,
                table=table,
            )
        )

    def receives(self) -> bool:
        """Whether this worker takes connections: it is ready, or nobody is, and somebody must say so."""
        return self.peers.is_ready() or not self.peers.anyone()

    def _loaded_and_warm(self, folder: Path) -> Model:
        self._compile()
        model = self.predictor.load(folder)
        self.predictor.warm_up(model)
        return model

    def _warm_up(self, state: _WorkerModel, warm: threading.Event) -> None:
        """Make this worker ready, or end the server where it cannot be."""
        timer = threading.Timer(
            self.settings.startup, self._give_up, ["the first prediction failed: it took too long."]
        )
        timer.daemon = True
        timer.start()
        try:
            self._compile()
            model = state.model or self._loaded()
            self.predictor.warm_up(model)
            state.model = model
            gc.collect()
            gc.freeze()  # what is there by now stays, and need not be looked through while somebody waits
        except BaseException as error:
            self._give_up(f"the first prediction failed: {type(error).__name__}: {error}")
        timer.cancel()
        if not self.peers.anyone():
            log.note(f"Ready after {time.monotonic() - self._began:.2f} seconds.")
        self.peers.be_ready()
        warm.set()

    def _compile(self) -> None:
        """Kernels that nobody on this machine has used, on all cores; a second worker waits for the first one's."""
        name = self.predictor.name
        try:
            ahead.compile_for(name, "predict", log.note)
        except PlatformError as error:
            log.warn(f"{error} Each is compiled when it is first used.")

    def _loaded(self) -> Model:
        """The model; where there is none, the server ends with a sentence on that."""
        try:
            return self.predictor.load(self.settings.model)
        except Exception as error:
            why = " ".join(error.findings) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self._blame[0] |= isinstance(error, UserError)
            self._give_up(f"{self.settings.model}: {why}")
            raise

    def _give_up(self, why: str) -> None:
        log.fault(f"{LOAD}{why}")
        sys.stdout.flush()
        os._exit(Arbiter.APP_LOAD_ERROR)

    def _stuck(self) -> None:
        """A prediction goes on that nobody waits for. No thread can be ended, so the worker is; others take over."""
        log.fault(f"A prediction took more than {self.settings.timeout:g} seconds.")
        if not self.settings.multi_model:
            os.kill(os.getpid(), signal.SIGTERM)

    def _on_fork(self, arbiter: Any, worker: Any) -> None:
        self.peers.enter(worker.age)
        self.metrics.enter(worker.age)

    def _on_exit(self, arbiter: Any, worker: Any) -> None:
        self.peers.leave(worker.age)
        self.metrics.leave(worker.age)

    def _listening(self, arbiter: Any) -> None:
        settings, name = self.settings, self.predictor.name
        what = "models as they are loaded" if settings.multi_model else f"the model in {settings.model}"
        workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
        log.note(
            f"Serving {name} on port {settings.port}, {what}: {workers} of {settings.concurrent} predictions at a "
            f"time on {settings.threads} threads each; {_versions()}"
        )


@dataclass
class _WorkerModel:
    """The model of this worker; None until it has one."""

    model: Model | None


def _budget(settings: Settings) -> int:
    """Bytes of memory that the requests of a worker may come to hold, with their records and answers: a quarter of what
    there is, shared out; and a body of the largest size in any case."""
    return max(2 * settings.payload, (machine.memory_limit() or 1 << 34) // 4 // settings.workers)


def _quick_folder() -> str:
    """Where heartbeats go, which are the times of empty files: memory, where a full or slow disk cannot stop them."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108


def _versions() -> str:
    versions = [f"Python {platform.python_version()}"]
    for name in ("algoport", "numpy", "gunicorn", "flask"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f"{name} {metadata.version(name)}")
    return ", ".join(versions)
