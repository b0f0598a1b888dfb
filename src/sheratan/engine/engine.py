"""The engine at its edges: asyncio outside, the decider inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sheratan.contracts.errors import TimedOut, Unavailable
from sheratan.contracts.guards import GuardRecord
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.ids import JobAddress, look_up_job_id, number_of
from sheratan.contracts.journal import Entry
from sheratan.contracts.pressure import PressureRecord
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.system import SystemState
from sheratan.contracts.telemetry import PressureChanged
from sheratan.contracts.worker import StopRequest
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Command, EndSession, Pending, StartDraining, Submit
from sheratan.engine.deadline import UNTIL_US
from sheratan.engine.decider import Decider
from sheratan.engine.driver import Driver
from sheratan.engine.meter import Meter
from sheratan.engine.prepare import KindRegistry
from sheratan.engine.state import State
from sheratan.engine.telemetry import Telemetry
from sheratan.kernel.alerting import AlertFact
from sheratan.kernel.pressure import reason_of_pressure
from sheratan.kernel.system import SystemFact
from sheratan.store.port import Reader
from sheratan.store.rows import JobRow, Result
from sheratan.store.run_rows import RunOpen

__all__ = ["Engine"]

Watcher = Callable[[Entry], None]
Ends = dict[int, list["asyncio.Future[tuple[JobRow, Result] | None]"]]


class _RunReply:
    """Takes the receipt of a job and waits on for its end, so that the caller is woken once."""

    __slots__ = ("_ends", "_future", "id")

    def __init__(self, ends: Ends, future: asyncio.Future[tuple[JobRow, Result] | None]) -> None:
        self._ends = ends
        self._future = future
        self.id = ""

    def done(self) -> bool:
        return self._future.done()

    def set_result(self, receipts: list[tuple[str, bool]], /) -> None:
        self.id, existing = receipts[0]
        if existing:
            # It may have ended long ago: that has to be looked up.
            self._future.set_result(None)
        else:
            self._ends.setdefault(number_of(self.id), []).append(self._future)

    def set_exception(self, exception: BaseException, /) -> None:
        self._future.set_exception(exception)

    def forget(self) -> None:
        """The caller has given up before the job's end."""
        if self.id:
            number = number_of(self.id)
            waiting = self._ends.get(number, [])
            if self._future in waiting:
                waiting.remove(self._future)
            if not waiting:
                self._ends.pop(number, None)


class Engine:
    """One shard's engine. Every method belongs to the loop it was started on."""

    def __init__(self, decider: Decider, reader: Reader, *, version: str) -> None:
        self.telemetry, self.meter = Telemetry(decider.clock), Meter()
        self.telemetry.listen("metrics", self.meter, "debug", hears="figures")
        self.limits = decider.limits
        self.version = version
        self.kinds = KindRegistry(self._is_on_duty)
        self.ready = False
        self.probes: list[ProbeRecord] = []
        """The probes as they stand; empty where nobody looks."""
        self.guards: Callable[[], Sequence[GuardRecord]] = list
        """The guards of this process, as they stand when this is called: of its worker's calls, and of alerts."""
        self.unwritten_alerts: dict[str, AlertFact] = {}
        """Alerts as they stand, where that could not be written down yet."""
        self.derived: SystemState | None = None
        """The worse state that probes lead to while it is not written down yet."""
        # The store's connection belongs to whoever commits; lookups in between have one of their own.
        self._reader = reader
        self._decider = decider
        self._driver = Driver(decider, self.telemetry)
        self._driver.on_commit = self._on_commit
        self._driver.on_halt = self._give_up_waiting
        self._ends: Ends = {}
        self._run_ends: dict[int, list[asyncio.Future[None]]] = {}
        self._stops: dict[int, asyncio.Queue[StopRequest]] = {}
        self._watchers: set[Watcher] = set()
        self._idle = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """The decider's memory, for reading only."""
        return self._decider.state

    @property
    def halted(self) -> str | None:
        """Why this process decides nothing any more, whatever the system's state; None while it does."""
        return self._driver.halted

    @property
    def commands_waiting(self) -> int:
        """How many commands wait for the decider."""
        return self._driver.waiting

    @property
    def wait_us(self) -> int:
        """How long a command that comes now waits for the decider."""
        return self._driver.wait_us

    @property
    def problems(self) -> list[str]:
        """What keeps the engine from being ready, apart from a halt."""
        outage = self.outage
        return [*self.kinds.problems, *([outage] if outage else [])]

    @property
    def has_started(self) -> bool:
        """Whether it has taken over the shard."""
        return self._loop_task is not None

    @property
    def checks(self) -> dict[str, bool]:
        """What has to be so for it to be ready, and whether it is. From memory alone."""
        return {
            "engine": self.ready and self.halted is None,
            "kinds": not self.kinds.problems,
            "database": self._decider.outage is None,
            "system": self.state.allowed.intake == "allow",
            "pressure": self.pressure.level != "critical",
        }

    @property
    def pressure(self) -> PressureRecord:
        """The pressure that the process was under when somebody last looked."""
        return self._driver.pressure

    def press(self, found: PressureRecord) -> None:
        """Take this for the pressure from now on; it says what is taken in."""
        before, self._driver.pressure = self._driver.pressure.level, found
        if found.level != before:
            now_us, reason = self.now_us(), reason_of_pressure(found)
            self.telemetry.emit(PressureChanged(at_us=now_us, source=before, to=found.level, reason=reason))

    @property
    def outage(self) -> str | None:
        """Why nothing can be committed at the moment; None once something was."""
        outage = self._decider.outage
        return outage.reason if outage is not None else None

    @property
    def outage_us(self) -> int:
        """For how long nothing could be committed."""
        outage = self._decider.outage
        return 0 if outage is None else self.recorded_us() - outage.since_us

    @property
    def unstored_state(self) -> SystemState | None:
        """The state that this process is in and cannot write down; None when what is stored says it."""
        if self.halted is not None:
            return "halted"
        return self.derived if self.outage is None else "degraded_critical"

    @property
    def last_commit(self) -> tuple[int, int] | None:
        """When the last commit was made, on the monotonic clock, and how long it took; None before the first."""
        return self._driver.last_commit

    def now_us(self) -> int:
        """The wall clock: microseconds since the epoch, UTC."""
        return self._decider.clock.now_us()

    def recorded_us(self) -> int:
        """The instant that an entry would have now; never before the newest one's."""
        return self._decider.recorded_us()

    def monotonic_us(self) -> int:
        """The monotonic clock, in microseconds."""
        return self._decider.clock.monotonic_us()

    async def start(self) -> None:
        """Take over the shard, record it, and begin to decide."""
        await self._driver.commit_start(self.version)
        self._loop_task = asyncio.create_task(self._driver.run(), name="sheratan-engine")
        self.ready = True

    async def drain(self, reason: str) -> None:
        """Take nothing in and start nothing more."""
        self.ready = False
        if self._loop_task is not None and not self._loop_task.done() and self.halted is None:
            await self.ask(StartDraining(reason=reason), ENGINE)

    async def wait_idle(self, seconds: float) -> None:
        """Wait until no attempt runs, in whatever worker, at most this long."""
        self._idle.clear()
        if not self.state.held:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return

    async def stop(self) -> None:
        """Record the end; what still runs is lost with its worker and decided anew."""
        self.ready = False
        if self._loop_task is None:
            return
        self._driver.stop()
        await self._loop_task
        self._give_up_waiting("the engine stopped before the job ended")

    async def ask(self, command: Command, by: Principal) -> Any:
        """Have a command decided; returns after the commit."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._driver.put(Pending(command, by, future, UNTIL_US.get()))
        return await future

    async def run(
        self, command: Submit, by: Principal, timeout_seconds: float | None
    ) -> tuple[str, tuple[JobRow, Result] | None]:
        """Submit one job and wait until it has ended; returns its id and, if it ended meanwhile, its rows."""
        future: asyncio.Future[tuple[JobRow, Result] | None] = asyncio.get_running_loop().create_future()
        reply = _RunReply(self._ends, future)
        self._driver.put(Pending(command, by, reply, UNTIL_US.get()))
        try:
            if timeout_seconds is None:
                ended = await future
            else:
                async with asyncio.timeout(timeout_seconds):
                    ended = await future
        except TimeoutError:
            raise TimedOut(
                f"{reply.id} had not ended after {timeout_seconds:g} seconds", job=reply.id
            ) from None
        finally:
            if future.cancelled():
                reply.forget()
        if ended is None:
            ended = await self.wait_end(look_up_job_id(reply.id), timeout_seconds)
        return reply.id, ended

    async def wait_end(
        self, address: JobAddress, timeout_seconds: float | None
    ) -> tuple[JobRow, Result] | None:
        """Wait until a job has ended and return its rows; None when it had ended before, or never was."""
        number = address.number
        future: asyncio.Future[tuple[JobRow, Result] | None] = asyncio.get_running_loop().create_future()
        waiting = self._ends.setdefault(number, [])
        waiting.append(future)
        try:
            # Registered first, looked up second: an end in between is not missed.
            if not self._is_open(address):
                return None
            if timeout_seconds is None:
                return await future
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError:
            raise TimedOut(f"the job had not ended after {timeout_seconds:g} seconds") from None
        finally:
            if future in waiting:
                waiting.remove(future)
            if not waiting and self._ends.get(number) is waiting:
                del self._ends[number]

    async def wait_run_end(self, number: int, timeout_seconds: float | None) -> None:
        """Wait until a run has ended; at once when it has, or never was."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._run_ends.setdefault(number, [])
        waiting.append(future)
        try:
            # Registered first, looked up second: an end in between is not missed.
            if isinstance(self._reader.run_place(number), RunOpen):
                async with asyncio.timeout(timeout_seconds):
                    await future
        except TimeoutError:
            raise TimedOut(f"the run had not ended after {timeout_seconds:g} seconds") from None
        finally:
            waiting.remove(future)
            if not waiting and self._run_ends.get(number) is waiting:
                del self._run_ends[number]

    def open_stops(self, session: int) -> None:
        """A worker came on duty; keep what it is asked to stop until it asks for them."""
        self._stops[session] = asyncio.Queue()

    async def close_session(self, session: int, by: Principal) -> None:
        """A worker goes off duty."""
        self._stops.pop(session, None)
        await self.ask(EndSession(session=session), by)

    async def wait_stops(self, session: int) -> list[StopRequest]:
        """What a worker is asked to stop next."""
        queue = self._stops.get(session)
        if queue is None:
            return []
        found = [await queue.get()]
        while not queue.empty():
            found.append(queue.get_nowait())
        return found

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with every entry from now on, after its commit; returns a function that ends it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    @property
    def offered(self) -> frozenset[str]:
        """The versions of kinds that workers on duty offer."""
        return frozenset(kind for session in list(self.state.sessions.values()) for kind in session.offers)

    def _is_on_duty(self, offered_as: str) -> bool:
        return any(offered_as in session.offers for session in self.state.sessions.values())

    def _is_open(self, address: JobAddress) -> bool:
        number = address.number
        held = self.state.held.get(number)
        known = held.job if held else self.state.cached.get(number)
        if known is not None:
            return known.salt == address.salt
        # On a slow disk a thread commits meanwhile, and the job may move from one table to another.
        with self._reader.snapshot():
            location = self._reader.location(number)
            if location is None or type(location) is Result:
                return False
            return all(job.salt == address.salt for job in self._reader.jobs([number]))

    def _give_up_waiting(self, reason: str) -> None:
        """Tell everybody who waits for a job's end that this engine will not see it."""
        for futures in (*self._ends.values(), *self._run_ends.values()):
            for future in futures:
                if not future.done():
                    future.set_exception(Unavailable(reason))

    def _on_commit(self, batch: Batch) -> None:
        for ended in batch.ended:
            for future in self._ends.pop(ended[1].number, ()):
                if not future.done():
                    future.set_result(ended)
        for run in batch.runs_ended:
            self._wake_run(run.number)
        for session, request in batch.stops:
            queue = self._stops.get(session.number)
            if queue is not None:
                queue.put_nowait(request)
        self._tell_of_halt(batch.unit.system)
        if not self.state.held:
            self._idle.set()
        if self._watchers:
            for entry in batch.unit.entries:
                self._show(entry)

    def _tell_of_halt(self, system: SystemFact | None) -> None:
        """Nothing ends while the system is halted, so whoever waits need not."""
        if system is not None and system.state == "halted":
            self._give_up_waiting(f"the engine has halted: {system.reason}")

    def _wake_run(self, number: int) -> None:
        for future in self._run_ends.get(number, ()):
            if not future.done():
                future.set_result(None)

    def _show(self, entry: Entry) -> None:
        for watcher in list(self._watchers):
            try:
                watcher(entry)
            except Exception:
                # What was committed stays so, whoever cannot bear to look: this one is shown nothing more.
                self._watchers.discard(watcher)
