"""One run: a world is drawn from a seed, goes wrong for a while, calms down, and must come to rest."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import NotFound, SheratanError
from sheratan.contracts.flow import NO_LIMITS
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.engine import window
from sheratan.engine.ids import find_remains
from sheratan.engine.views import find_view
from sheratan.simulation.alertness import AlertLookout
from sheratan.simulation.auditor import Auditor
from sheratan.simulation.choices import Choices, Tape
from sheratan.simulation.clients import QUEUES, Acknowledged, Client
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.faults import Hosts
from sheratan.simulation.healthiness import HealthLookout
from sheratan.simulation.lateness import Lookout
from sheratan.simulation.loop import Deadlock, SimulatedLoop, TooManySteps
from sheratan.simulation.model_state import TERMINAL
from sheratan.simulation.network import Connection, Network
from sheratan.simulation.options import KINDS, Options, draw_options
from sheratan.simulation.people import PEOPLE, Person
from sheratan.simulation.server import Server
from sheratan.simulation.store import Killed, SimulatedStorage
from sheratan.simulation.story import Story, Violation
from sheratan.simulation.witness import Code, Witness
from sheratan.simulation.workers import Worker
from sheratan.store.unit import state_of

__all__ = ["Outcome", "simulate"]

REST_SECONDS: Final = 3_600.0
"""How long a world may take to come to rest once nothing goes wrong any more, in its own time.

A handler may wait for five minutes in each of its steps, and in the next attempt again.
"""

_BATCHES_MAX: Final = 250
"""After so many batches clients leave: another world shows more than the rest of this one would."""

_UNDER_WAY_SECONDS: Final = 20.0
_LIMITS: Final[dict[str, type[Any]]] = {
    "queue": api.LimitQueue,
    "kind": api.LimitKind,
    "tenant": api.LimitTenant,
}
_WORLDS: Final = count(1)
_COLLECT_EVERY: Final = 8
"""What is left of a world is a net of cycles, and the collector has no time of its own between two worlds."""

_SMALL_WINDOWS: Final = {"WINDOW_JOBS_MAX": 6, "REFILL_JOBS": 3, "LOW_JOBS": 1}


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a run. `digest` is the same for the same seed and code; `seconds` are the world's own."""

    seed: int
    options: Options
    violation: str | None
    digest: str
    jobs: int
    entries: int
    seconds: float
    coverage: dict[str, int]
    tape: Tape
    story: list[str]


def simulate(seed: int, tape: Mapping[str, Sequence[int]] | None = None) -> Outcome:
    """Run the world of a seed, or of a tape. A broken promise is in the outcome, it is not raised."""
    choices = Choices(seed, tape)
    world = _World(choices, draw_options(choices))
    sizes = {name: getattr(window, name) for name in _SMALL_WINDOWS}
    if world.options.small_windows:
        _set_windows(_SMALL_WINDOWS)
    gc.disable()
    try:
        return world.run()
    finally:
        _set_windows(sizes)
        gc.enable()
        if next(_WORLDS) % _COLLECT_EVERY == 0:
            gc.collect()


def _set_windows(sizes: Mapping[str, int]) -> None:
    """How many ready jobs the engine keeps in memory: few of them show what happens at the edge."""
    for name, value in sizes.items():
        setattr(window, name, value)


class _World:
    """Everything that there is in one run."""

    def __init__(self, choices: Choices, options: Options) -> None:
        self.options = options
        self.choices = choices
        self.coverage = Coverage()
        self.loop = SimulatedLoop(choices, options.schedule)
        self.story = Story(self.loop)
        self.witness = Witness(self.coverage, self.story)
        self.clock = SimulatedClock(self.loop)
        self.storage = SimulatedStorage(self.loop, choices, self.coverage, options)
        if self.storage.disk is not None:
            self.story.hide(self.storage.disk.root)
        self.auditor = Auditor(
            self.clock,
            self.coverage,
            self.story,
            self.storage.changes,
            self.storage.archive,
            short_windows=options.small_windows,
        )
        self.lookout = Lookout(self.clock)
        self.health = HealthLookout(self.clock, self.storage.outside)
        self.alerts = AlertLookout(self.clock, self.storage.hearers.settings)
        self.network = Network(self.loop, choices, self.coverage, options)
        self.network.has_seen_enough = lambda: self.auditor.batches >= _BATCHES_MAX
        self.hosts = Hosts(self.network, self.storage, self.clock, self.auditor, self.story)
        self.hosts.on_restart = self._check_acknowledged
        self.loop.before_jump = self._check_nothing_is_late
        self.acknowledged: list[list[Acknowledged]] = []
        self._workers = 0
        self._is_deployed = not options.code_permille
        self._crew: dict[str, Worker] = {}

    def run(self) -> Outcome:
        """Run it to its end."""
        violation: str | None = None
        try:
            self.loop.run(self._live())
        except (Violation, Deadlock, TooManySteps) as error:
            violation = self.story.without_host(f"{type(error).__name__}: {error}")
        finally:
            model, head = self.auditor.model, self.auditor.head
            self.loop.bury()
            self.storage.close()
        if violation is None and self.loop.accidents:
            violation = self.story.without_host(f"an error that nobody saw: {self.loop.accidents[0]}")
        return Outcome(
            seed=self.choices.seed,
            options=self.options,
            violation=violation,
            digest=self.story.digest,
            jobs=len(model.jobs),
            entries=head.seq,
            seconds=self.loop.time(),
            coverage=dict(self.coverage.counts),
            tape=self.choices.tape,
            story=self.story.lines,
        )

    # ------------------------------------------------------------------------------------------------------------------
    # The phases

    async def _live(self) -> None:
        await self.hosts.mend()
        for _ in range(self.options.workers):
            self._add_worker(healthy=False)
        for name in PEOPLE if self.options.steps else ():
            self.loop.spawn(name, Person(name, self.network, self.choices, self.story).run())
        clients = [self._add_client(number) for number in range(self.options.clients)]
        hosts = asyncio.create_task(self.hosts.run())
        crew = asyncio.create_task(self._trouble_workers())
        await asyncio.gather(*clients, return_exceptions=True)
        self.hosts.is_over = True
        crew.cancel()
        await asyncio.gather(hosts, crew, return_exceptions=True)
        for task in (*clients, hosts, crew):
            if not task.cancelled() and task.exception() is not None:
                raise Violation(f"an actor failed: {task.exception()!r}")
        await self._come_to_rest()

    async def _come_to_rest(self) -> None:
        """Nothing goes wrong any more: everything must end within a bounded time."""
        self.story.tell("calm")
        self.choices.is_calm = True
        self.hosts.calm_down()
        server = self.hosts.server
        if server is not None:
            self.loop.go_on(server.node)
        # What is still under way arrives, and may change things, before people put them right.
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        await self.hosts.mend()
        for node in list(self._crew):
            self._end_worker(node)
        self._is_deployed = True
        self._add_worker(healthy=True)
        await self._recover()
        await self._let_all_go()
        until = self.loop.time() + REST_SECONDS
        while self._open_jobs():
            if self.loop.time() > until:
                raise Violation(f"not at rest after {REST_SECONDS:g} s: {self._open_jobs()[:5]}")
            await asyncio.sleep(1.0)
            await self.hosts.mend()
        await self._tell_of_alerts()
        self._check_acknowledged()
        reader = self.storage.reader()
        try:
            self.auditor.finish(reader)
        except Killed:
            return
        finally:
            self.storage.give_back(reader)

    async def _tell_of_alerts(self) -> None:
        """Of what is still wrong somebody is told, also of what came before the last start: the lookout says when."""
        while (server := self.hosts.server) is None or self.alerts.has_untold(self.auditor.model, server):
            await asyncio.sleep(1.0)
            await self.hosts.mend()

    async def _recover(self) -> None:
        """What probes have made of the system ends by itself: the lookout says when it should have."""
        while self.storage.outside.settings and self.auditor.model.system.startswith("degraded"):
            await asyncio.sleep(1.0)
            await self.hosts.mend()

    async def _let_all_go(self) -> None:
        """Nothing is paused or scheduled any more, and nothing limited that would make the end wait."""
        requests: list[api.Request] = [
            api.ChangeState(to=state, reason="calm") for state in ("recovery", "operational")
        ]
        requests += [api.ResumeQueue(queue=queue) for queue in QUEUES]
        requests += [api.ResumeKind(kind=kind) for kind in KINDS]
        requests.append(api.ResumeTenant(tenant=DEFAULT_TENANT))
        for subject in sorted(self.auditor.model.set_for):
            what, _, name = subject.partition(":")
            requests.append(_LIMITS[what](**{what: name}, limits=NO_LIMITS))
        requests += [api.RemovePrice(kind=kind) for kind in self.auditor.model.prices]
        requests += [
            api.RemoveBudget(subject=subject, unit=unit) for subject, unit in self.auditor.model.budgets
        ]
        requests += [api.DeleteSchedule(name=name) for name in self.auditor.model.schedules]
        for request in requests:
            await self._insist(request)
        if self.auditor.model.schedules:
            raise Violation(f"{list(self.auditor.model.schedules)} are there after they were deleted")

    async def _insist(self, request: api.Request) -> None:
        """Ask for something until it is done."""
        for _ in range(100):
            try:
                await Connection(self.network, "operator").call(request, 5.0)
            except NotFound:
                return
            except SheratanError:
                await asyncio.sleep(0.5)
                await self.hosts.mend()
            else:
                return
        raise Violation(f"{request} was refused although nothing goes wrong any more")

    def _open_jobs(self) -> list[Any]:
        """Jobs that have not ended, and bulk operations."""
        jobs = self.auditor.model.jobs.values()
        bulks = [("bulk", bulk.command.action) for bulk in self.auditor.model.open_bulks]
        return bulks + [(job.number, job.state) for job in jobs if job.state not in TERMINAL]

    # ------------------------------------------------------------------------------------------------------------------
    # Clients and workers

    def _add_client(self, number: int) -> asyncio.Task[Any]:
        client = Client(f"client{number}", self.network, self.choices, self.options, self.story)
        self.acknowledged.append(client.acknowledged)
        return self.loop.spawn(client.name, client.run())

    def _add_worker(self, *, healthy: bool) -> None:
        self._workers += 1
        is_broken = not healthy and self.choices.chance("worker.broken", self.options.code_permille)
        code = Code(self._is_deployed, is_broken)
        worker = Worker(
            f"worker{self._workers}", self.network, self.choices, self.options, self.witness, code
        )
        worker.is_healthy = healthy
        self.acknowledged.append(worker.acknowledged)
        self._crew[worker.name] = worker
        self.loop.spawn(worker.name, worker.run())

    def _end_worker(self, node: str) -> None:
        del self._crew[node]
        self.loop.kill(node)

    async def _trouble_workers(self) -> None:
        """Kill workers, and let them stand still for longer than they may be silent."""
        while True:
            await asyncio.sleep(1.0)
            if not self._is_deployed and self.choices.chance("world.deploy", 50):
                self._deploy()
            for node in list(self._crew):
                if self._may("worker.killed"):
                    self.story.tell(f"{node} is killed")
                    self.coverage.hit("worker.killed")
                    self._end_worker(node)
                    self._add_worker(healthy=False)
                elif self._may("worker.paused") and not self.loop.is_still(node):
                    self.coverage.hit("worker.paused")
                    self.story.tell(f"{node} stands still")
                    self.loop.stand_still(node)
                    seconds = self.choices.pick("worker.pause", (1.0, 20.0, 45.0, 90.0))
                    self.loop.on_node("world", round(seconds * 1_000_000), self.loop.go_on, node)

    def _deploy(self) -> None:
        """Another program takes the place of the one that runs jobs: the old one ends before the new one starts."""
        self.story.tell("another program is deployed")
        self.coverage.hit("code.deployed")
        self._is_deployed = True
        for node in list(self._crew):
            self._end_worker(node)
            self._add_worker(healthy=False)

    def _may(self, fault: str) -> bool:
        return self.choices.chance(fault, self.options.rate(fault))

    # ------------------------------------------------------------------------------------------------------------------
    # What must hold

    def _check_acknowledged(self) -> None:
        """What anybody was told is so: the job exists, and what had ended has ended so."""
        reader = self.storage.reader()
        try:
            for told in (one for heard in self.acknowledged for one in heard):
                try:
                    left = find_remains(reader, told.id)
                    state = left.state if left else state_of(find_view(reader, told.id).location)
                except SheratanError as error:
                    self.story.blame(f"{told.id} was acknowledged; now: {error}")
                    return
                if told.state is not None and state != told.state:
                    self.story.blame(f"{told.id} was said to have {told.state}; now it is {state}")
                    return
        finally:
            self.storage.give_back(reader)

    def _check_nothing_is_late(self, until_us: int) -> None:
        """The clock is about to jump, so nobody is at work: what could be done has been done."""
        server = self.hosts.server
        if server is None or self.loop.is_still(server.node) or not server.serves:
            self.health.disturb(until_us)
            self.alerts.disturb(until_us)
        elif not self.auditor.is_deciding:
            for fault in self._late(server):
                if fault is not None:
                    self.story.blame(fault)

    def _late(self, server: Server) -> Iterator[str | None]:
        """What could have been done on a server that serves, and was not."""
        yield self.lookout.find_late(self.auditor.model, self.auditor.batches)
        yield self.health.find_late(self.auditor.model, server)
        yield self.alerts.find_late(self.auditor.model, server)
        yield "a command waits although nobody is at work" if server.has_forgotten_commands else None
        yield server.upkeep_bug
