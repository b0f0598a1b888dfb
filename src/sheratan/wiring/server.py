"""A running server: an engine on a data directory with its store, its doors and its own worker."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sheratan.ambient.clock import Clock, SystemClock
from sheratan.ambient.collector import spare_collector
from sheratan.ambient.folder import HostFolder
from sheratan.ambient.randomness import Randomness, SystemRandomness
from sheratan.ambient.sensors import HostSensors
from sheratan.ambient.targets import HostTargets
from sheratan.contracts.alerts import AlertSettings
from sheratan.contracts.code import versioned
from sheratan.contracts.health import HealthSettings
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.telemetry import TraceSettings
from sheratan.engine.alert_measures import Watched
from sheratan.engine.alerting import Alerting
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.outbox import Outbox
from sheratan.engine.pressure import Pressure
from sheratan.engine.probing import Probing
from sheratan.engine.telemetry import Telemetry
from sheratan.gateway.api import Api
from sheratan.gateway.archiving import Archiving
from sheratan.gateway.health import HealthServer
from sheratan.gateway.local import LocalTransport
from sheratan.gateway.socket import SocketServer
from sheratan.guards.guards import Guards
from sheratan.sdk.client import Client
from sheratan.sdk.kind import Kind, find_kinds
from sheratan.sdk.worker import SLOTS_DEFAULT, Worker
from sheratan.settings import LogSettings, MetricsSettings, Settings, WorkerSettings
from sheratan.store.archive import Archive
from sheratan.store.sqlite.owner import Holder, OwnerLock
from sheratan.store.sqlite.store import DATABASE_NAME, open_store
from sheratan.telemetry.outlet import Outlet
from sheratan.wiring.blocking import Blocking
from sheratan.wiring.program import import_module, open_offline, version
from sheratan.wiring.tracing import Tracing

__all__ = ["Server", "load_kinds", "open_engine", "settings_server"]


class Server:
    """An engine on a data directory, with its doors and its own worker."""

    def __init__(self, settings: Settings, *, program: str) -> None:
        clock, randomness, limits = SystemClock(), SystemRandomness(), settings.limits
        # First: where a secret is missing nothing is taken over.
        targets = HostTargets(settings.alerts, os.environ, clock)
        self.data = data = Path(settings.data)
        self._worker_settings = settings.worker
        self._lock = OwnerLock(data, Holder(pid=os.getpid(), program=program, since_us=clock.now_us()))
        path = data / DATABASE_NAME
        self._store = open_store(path, clock.now_us(), is_laid_out=True)
        self._readers = [open_offline(data), open_offline(data), open_offline(data)]
        decider = Decider(self._store, clock, randomness, limits)
        self.engine = Engine(decider, self._readers[0], version=version())
        health = HealthSettings(settings.probes, settings.dependencies)
        self._clock, self._randomness = clock, randomness
        self._guards = Guards(
            {name: one.guard for name, one in settings.dependencies.items()},
            clock=clock,
            randomness=randomness,
            tell=self.engine.telemetry.emit,
        )
        self._all_guards = [self._guards]
        self.engine.guards = lambda: [one for guards in self._all_guards for one in guards.records]
        sensors = HostSensors(data, settings.pressure.memory_bytes_max)
        self._probing = Probing(self.engine, sensors, clock, randomness, health)
        self._pressure = Pressure(self.engine, sensors, clock, settings.pressure)
        self._blocking = Blocking(self.engine.telemetry, clock, settings.pressure.blocked_seconds)
        kept = Archive(HostFolder(Path(settings.archive) if settings.archive else data / "archive"))
        self._archiving = Archiving(self.engine, self._readers[2], kept)
        self._alerting = self._watch(settings.alerts, targets, clock, randomness)
        self.api = Api(self.engine, self._readers[1], str(data), self._archiving, self._alerting)
        self._socket = SocketServer(self.api, data, limits)
        self._health: HealthServer | None = None
        self._outlet: Outlet | None = None
        self._tracing: Tracing | None = None
        self._workers: list[Worker] = []
        self._by = Principal(actor=f"local:{_user()}", auth="embedded", on_behalf_of=f"local:{_user()}")

    def _watch(
        self, settings: AlertSettings, targets: HostTargets, clock: Clock, randomness: Randomness
    ) -> Alerting:
        """Look at what alerts are about, and tell whoever is to hear of it."""
        engine = self.engine
        outbox = Outbox(targets, settings, clock, randomness, engine.meter.notices, engine.telemetry.emit)
        self._all_guards.append(outbox.guards)
        watched = Watched(self.engine, self._readers[0], settings, lambda: self._archiving.problem)
        return Alerting(watched, outbox, clock, str(self.data))

    def observe(self, log: LogSettings, metrics: MetricsSettings, traces: TraceSettings) -> None:
        """Log what happens, send traces of it, and let it be asked over HTTP how it is, as the settings say."""
        if traces.endpoint:
            self._trace(traces)
        if metrics.listen:
            self._health = HealthServer(self.api, self.engine, metrics.listen)
        self._outlet = _start_log(self.engine.telemetry, log)

    def _trace(self, settings: TraceSettings) -> None:
        telemetry = self.engine.telemetry
        resource = {"service.version": version(), "service.instance.id": str(self.data)}
        self._tracing = Tracing(telemetry, settings, self._clock, self._randomness, resource)
        self._all_guards.append(self._tracing.guards)
        self._guards.tell_span = telemetry.emit

    def client(self) -> Client:
        """A client within the process."""
        return Client(LocalTransport(self.api, self._by))

    async def start(self, kinds: Sequence[Kind[Any, Any]]) -> None:
        """Start the engine, the socket and a worker for these kinds."""
        for kind in kinds:
            self.api.checks[versioned(kind.name, kind.version)] = kind.check_input
        if self._tracing is not None:
            self._tracing.guards.start()
        await self.engine.start()
        self._probing.start()
        self._archiving.start()
        self._alerting.start()
        await self._socket.start()
        settings = self._worker_settings
        worker = Worker(
            self.client(),
            kinds,
            name=settings.name,
            slots=settings.slots,
            threads=settings.threads,
            processes=settings.processes,
        )
        worker.guards = self._guards
        await worker.start()
        self._workers.append(worker)

    async def start_modules(self, modules: Sequence[str]) -> list[str]:
        """Start with the kinds of these modules and return their names; one that does not load: not ready."""
        if self._health is not None:
            # First, so that whoever probes hears that it is alive, and not started yet.
            await self._health.start()
        kinds, problems = load_kinds(modules)
        self.engine.kinds.problems.extend(problems)
        await self.start(kinds)
        # The process is this server's own, and so are its memory, its loop and its collector; an embedding program
        # decides for itself.
        self._pressure.start()
        self._blocking.start(self._workers)
        spare_collector()
        return [versioned(kind.name, kind.version) for kind in kinds]

    @property
    def problems(self) -> list[str]:
        """What keeps it from being ready."""
        return self.engine.kinds.problems

    async def stop(self, drain_seconds: float, reason: str) -> None:
        """Drain, hand back what does not end in time, and give the data directory back."""
        async with AsyncExitStack() as steps:
            # Undone in the opposite order, each step whatever became of the others: the lock goes last.
            steps.callback(self._lock.release)
            steps.callback(self._store.close)
            for reader in self._readers:
                steps.callback(reader.close)
            if self._outlet is not None:
                steps.callback(self._outlet.stop)
            if self._tracing is not None:
                steps.push_async_callback(asyncio.to_thread, self._tracing.stop)
            steps.callback(self.api.close)
            if self._health is not None:
                steps.push_async_callback(self._health.stop)
            steps.push_async_callback(self.engine.stop)
            steps.callback(self._probing.close)
            steps.callback(self._pressure.close)
            steps.callback(self._blocking.stop)
            steps.callback(self._alerting.close)
            steps.push_async_callback(self._socket.stop)
            for worker in self._workers:
                steps.push_async_callback(worker.stop)
            await self.engine.drain(reason)
            # Whoever runs a job has this long to end it, in this process or in another.
            await self.engine.wait_idle(drain_seconds)


def load_kinds(modules: Sequence[str]) -> tuple[list[Kind[Any, Any]], list[str]]:
    """The kinds of these modules, and what kept others from loading."""
    found: dict[tuple[str, int], Kind[Any, Any]] = {}
    problems: list[str] = []
    for name in modules:
        try:
            kinds = find_kinds(import_module(name))
        except (Exception, SystemExit) as error:
            problems.append(f"kinds of module {name} failed to load: {type(error).__name__}: {error}")
            continue
        if not kinds:
            problems.append(f"module {name} defines no kinds")
        for kind in kinds:
            known = found.setdefault((kind.name, kind.version), kind)
            if known is not kind:
                twice = versioned(kind.name, kind.version)
                problems.append(
                    f"modules {known.__module__} and {kind.__module__} both define the kind {twice}"
                )
    return [found[name] for name in sorted(found)], problems


@asynccontextmanager
async def open_engine(
    data: str | os.PathLike[str],
    kinds: Sequence[Kind[Any, Any] | ModuleType] = (),
    *,
    limits: Limits | None = None,
    slots: int = SLOTS_DEFAULT,
    drain_seconds: float = 5.0,
) -> AsyncGenerator[Client]:
    """Run an engine and a worker inside this program and give a client of it.

    `kinds` are kinds, or modules that define some. At the end running jobs have `drain_seconds` to end; what
    does not is handed back and goes on at the next start.
    """
    found: list[Kind[Any, Any]] = []
    for item in kinds:
        found.extend(find_kinds(item) if isinstance(item, ModuleType) else [item])
    program = Path(sys.argv[0]).name or "python"
    worker = WorkerSettings(name="embedded", slots=slots)
    server = Server(Settings(data=str(data), limits=limits or Limits(), worker=worker), program=program)
    try:
        await server.start(found)
        yield server.client()
    finally:
        await asyncio.shield(server.stop(drain_seconds, "the program ended"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def settings_server(settings: Settings) -> Server:
    """A server as the settings say."""
    server = Server(settings, program="sheratan up")
    server.observe(settings.log, settings.metrics, settings.traces)
    return server


def _start_log(telemetry: Telemetry, settings: LogSettings) -> Outlet:
    from sheratan.telemetry.logs import Log, open_file  # noqa: PLC0415 - what it needs takes a while to load

    descriptor = open_file(settings.file) if settings.file else sys.stderr.fileno()
    log = Log(descriptor, is_json=settings.format == "json")
    outlet = Outlet(telemetry, "log", log)
    telemetry.listen("log", outlet, settings.level)
    return outlet
