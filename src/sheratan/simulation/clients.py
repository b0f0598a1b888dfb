"""Simulated clients: they submit, cancel, run again, pause and look, and write down what they were told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts import api
from sheratan.contracts.approvals import ListApprovals
from sheratan.contracts.bulk import BulkAction
from sheratan.contracts.dead_letters import Edit
from sheratan.contracts.errors import Conflict, SheratanError
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.contracts.gates import Debounce, Gate, SubmitGated, Throttle
from sheratan.contracts.jobs import CRITICALITIES, Submission
from sheratan.contracts.jobs import Options as JobOptions
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.simulation.bookkeeping import LedgerClient
from sheratan.simulation.choices import Choices
from sheratan.simulation.clock import EPOCH_US
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.network import Connection, Network
from sheratan.simulation.options import ABOUT_BACKLOGS, KINDS, Options, draw_partition_limits
from sheratan.simulation.people import decide
from sheratan.simulation.pricing import PriceClient
from sheratan.simulation.run_clients import RunClient
from sheratan.simulation.scheduling import ScheduleClient, draw_schedule
from sheratan.simulation.state_clients import StateClient
from sheratan.simulation.story import Story

__all__ = ["QUEUES", "VERSIONED", "Acknowledged", "Client"]

VERSIONED = "other"
"""The kind of which there are two versions."""

QUEUES = ("default", "b", "c")
_ANSWER_SECONDS = 5.0
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.5, 8.0
"""How long a client waits that reaches nobody, the first time and at most."""


class Acknowledged(NamedTuple):
    """What somebody was told: which job, and what has become of it for good (None: only that it exists)."""

    id: str
    state: str | None


class Client:
    """One client with a connection that it opens anew when it breaks."""

    def __init__(self, name: str, network: Network, choices: Choices, options: Options, story: Story) -> None:
        self.name = name
        self.acknowledged: list[Acknowledged] = []
        self._network = network
        self._choices = choices
        self._options = options
        self._story = story
        self._coverage: Coverage = network.coverage
        self._connection = Connection(network, name)
        self._known: list[str] = []
        self._runs = RunClient(self._ask, choices, network.coverage, QUEUES)
        self._schedules = ScheduleClient(self._ask, self._submit, self._acknowledge, choices, network.loop)
        self._ledger = LedgerClient(name, self._ask, choices)
        self._prices = PriceClient(name, self._ask, (self._submit_some, self._runs.within), choices, options)
        self._states = StateClient(self._ask, choices)
        self._keys = 0
        self._menu = [name for name, weight in options.weights.items() for _ in range(weight)]

    async def run(self) -> None:
        """Do so many things, then leave."""
        done, pause = 0, _PAUSE_SECONDS
        for _ in range(4 * self._options.operations):
            if done >= self._options.operations or self._network.has_seen_enough():
                break
            await asyncio.sleep(self._choices.between("client.think", 0, self._options.think_us) / 1_000_000)
            what = self._choices.pick("client.what", self._menu)
            try:
                await getattr(self, f"_{what}")()
            except SheratanError as error:
                self._story.tell(f"{what}: {error.code}")
                if error.code in ("overloaded", "deadline_exceeded"):
                    self._coverage.hit(f"intake.{error.code}")
                if error.code in ("disconnected", "unavailable", "state_refuses", "overloaded"):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _PAUSE_SECONDS_MAX)
                    continue
            done, pause = done + 1, _PAUSE_SECONDS

    # ------------------------------------------------------------------------------------------------------------------

    async def _submit(self) -> None:
        await self._send([self._submission()])

    async def _gated(self) -> None:
        """Submit through a gate, sometimes shortly one after the other."""
        draw = self._choices
        key = draw.pick("gate.key", ("g", "h"))
        window = draw.pick("gate.window", (0.5, 8.0, 30.0))
        longest = draw.pick("gate.longest", (None, 1.0, 3.0))
        gate: Gate = Debounce(key=key, window_seconds=window, longest_seconds=longest and longest * window)
        if draw.chance("gate.throttle", 400):
            gate = Throttle(key=key, period_seconds=window, jobs=draw.pick("gate.jobs", (1, 1, 2)))
        for _ in range(draw.between("gate.count", 1, 3)):
            # Sometimes for longer than the shortest of these windows.
            await asyncio.sleep(draw.pick("gate.pause", (0.0, 0.0, 0.7)))
            receipt = await self._ask(SubmitGated(job=self._submission(), gate=gate))
            self._heard([receipt])
            if draw.chance("gate.cancel", 200):
                await self._cancel_one(receipt.id)

    async def _submit_some(self, **more: Any) -> None:
        delay = self._choices.pick("job_budget.delay", (0.0, 0.5))
        await self._send([self._submission(delay_seconds=delay, **more) for _ in range(3)])

    async def _bulk(self) -> None:
        draw, where = self._choices, dict[str, Any]()
        if self._options.about == ABOUT_BACKLOGS:
            where |= {"kind": draw.pick("bulk.kind", KINDS), "queue": draw.pick("bulk.queue", QUEUES)}
            where |= {"partition": draw.pick("bulk.partition", (None, None, "p"))}
        count = draw.between("client.bulk", 1, self._options.bulk)
        await self._send([self._submission(**where) for _ in range(count)])

    async def _keyed(self) -> None:
        """Submit under a key until it is known what became of it: an unknown outcome is asked for again."""
        name = self._choices.pick("client.key", ("a", "b", "c", "d"))
        submission = self._submission(key=f"key-{name}")
        for _ in range(4):
            try:
                await self._send([submission])
            except SheratanError as error:
                if error.code not in ("timed_out", "disconnected"):
                    raise
                self._coverage.hit("client.repeats_key")
                await asyncio.sleep(0.1)
            else:
                return

    async def _after(self) -> None:
        parents = self._some_known(3)
        policy = self._choices.pick("client.after_failure", ("cancel", "run"))
        delay = self._choices.pick("client.after_delay", (0.0, 0.0, 8.0))
        await self._send([self._submission(after=parents, after_failure=policy, delay_seconds=delay)])

    async def _delayed(self) -> None:
        await self._send(
            [self._submission(delay_seconds=self._choices.pick("client.delay", (0.0, 0.5, 8.0, 60.0)))]
        )

    async def _cancel(self) -> None:
        for job in self._some_known(1):
            await self._cancel_one(job)

    async def _cancel_one(self, job: str) -> None:
        answer = await self._ask(api.CancelJob(id=job))
        self._story.tell(f"cancel of {job}: {answer}")
        if answer == "cancelled":
            self.acknowledged.append(Acknowledged(job, "cancelled"))
        else:
            self._coverage.hit("client.cancels_running")

    async def _signal(self) -> None:
        page = await self._ask(api.ListJobs(state="waiting", limit=50))
        waiting = [found.id for found in page.items if "signal" in (found.waiting_for or "")]
        for job in (*waiting[:6], *self._some_known(3)):
            value = self._choices.pick("client.signal", (1, None, "x" * 3_000))
            name = self._choices.pick("client.name", ("go", "go", "stop"))
            await self._ask(api.SignalJob(id=job, name=name, value=value))

    async def _unblock(self) -> None:
        page = await self._ask(api.ListJobs(state="blocked", limit=50))
        blocked = [found.id for found in page.items if found.blocked_reason == "code_changed"]
        for job in (*blocked[:6], *self._some_known(1)):
            with suppress(Conflict):
                # It may wait for other jobs, or for nothing.
                await self._ask(api.UnblockJob(id=job, reason="a test"))

    async def _approve(self) -> None:
        """Decide about what handlers ask, first of all those whose jobs are one's own, though that may be forbidden."""
        page = await self._ask(ListApprovals(state="open", limit=6))
        for one in sorted(page.items, key=lambda one: one.requester != f"local:{self.name}")[:2]:
            await self._ask(decide(one, self._choices))

    async def _retry(self) -> None:
        for job in self._some_known(1):
            self._heard([await self._ask(api.RetryJob(id=job))])

    async def _deal(self) -> None:
        """Replay, edit or discard dead letters, or one that somebody else may have dealt with."""
        page = await self._ask(api.ListDeadLetters(limit=4))
        for job in (*(letter.id for letter in page.items[:2]), *self._some_known(1)):
            what = self._choices.pick("client.deal", ("replay", "replay", "edit", "discard"))
            if what == "discard":
                await self._ask(api.DiscardJob(id=job, reason="a test"))
                continue
            edit = None
            if what == "edit":
                value = self._choices.pick("client.edit", (None, "y" * 3_000))
                queue = self._choices.pick("client.edit_queue", (None, "b", "d"))
                edit = Edit(input=value, queue=queue, priority=1)
            poison = self._choices.pick("client.poison", (False, True))
            self._heard([await self._ask(api.ReplayJob(id=job, edit=edit, poison=poison))])

    async def _mass(self) -> None:
        """Do something to many jobs, and look how far it has come."""
        draw = self._choices
        actions: tuple[BulkAction, ...] = ("cancel", "retry", "replay", "replay", "discard")
        action = draw.pick("client.mass", actions)
        wanted: dict[str, Any] = draw.pick(
            "client.filter",
            (
                {},
                {"tag": "eu"},
                {"queue": "b"},
                {"partition": "q"},
                {"kind": "other", "tag": "us"},
                {"error_class": "lost_lease"},
                {"error_class": "timeout"},
                {"state": "queued"},
                {"state": "cancelled"},
                {"text": "key-a"},
                {"created_until_us": 1_800_000_060_000_000},
            ),
        )
        limit = draw.pick("client.mass_limit", (None, 2)) if action != "retry" else 3
        poison = draw.pick("client.mass_poison", (False, True))
        start = api.StartBulk(
            action=action, filter=JobFilter(**wanted), limit=limit, poison=poison, reason="a test"
        )
        records = [await self._ask(start) for _ in range(draw.between("client.masses", 1, 2))]
        await self._ask(api.GetBulk(id=records[0].id))

    async def _workflow(self) -> None:
        self._story.tell(f"has {await self._runs.act()}")

    async def _pause(self) -> None:
        await self._ask(api.PauseQueue(queue=self._choices.pick("client.queue", QUEUES), reason="a test"))

    async def _resume(self) -> None:
        await self._ask(api.ResumeQueue(queue=self._choices.pick("client.queue", QUEUES)))

    async def _pause_kind(self) -> None:
        await self._ask(api.PauseKind(kind=self._choices.pick("client.kind", KINDS), reason="a test"))

    async def _resume_kind(self) -> None:
        await self._ask(api.ResumeKind(kind=self._choices.pick("client.kind", KINDS)))

    async def _pause_tenant(self) -> None:
        await self._ask(api.PauseTenant(tenant=DEFAULT_TENANT, reason="a test"))

    async def _resume_tenant(self) -> None:
        await self._ask(api.ResumeTenant(tenant=DEFAULT_TENANT))

    async def _limit(self) -> None:
        draw = self._choices
        count, seconds, burst = draw.pick("limit.rate", ((0, 0, 0), (3, 1.0, 1), (7, 10.0, 3), (1, 4.0, 2)))
        limits = FlowLimits(
            concurrency=draw.pick("limit.concurrency", (None, None, 1, 3)),
            rate=Rate(count=count, period_seconds=seconds, burst=burst) if count else None,
            weight=draw.pick("limit.weight", (1, 1, 3)),
            ageing_seconds=draw.pick("limit.ageing", (None, 0.2, 2.0)),
            per_partition=draw_partition_limits(draw),
        )
        if draw.chance("limit.tenant", 100):
            await self._ask(api.LimitTenant(tenant=DEFAULT_TENANT, limits=limits))
        elif draw.chance("limit.kind", 300):
            await self._ask(api.LimitKind(kind=draw.pick("client.kind", KINDS), limits=limits))
        else:
            await self._ask(api.LimitQueue(queue=draw.pick("client.queue", QUEUES), limits=limits))

    async def _keep(self) -> None:
        """Say how long jobs are kept that have ended, or runs: those of a kind or workflow, or all others."""
        draw = self._choices
        kind = draw.pick("retention.kind", (None, None, *KINDS))
        seconds = draw.pick("retention.seconds", (1, 1, 20, 120, None))
        await self._ask(api.SetRetention(kind=kind, keep_seconds=seconds, reason="a test"))
        if draw.between("retention.runs", 0, 2):
            await self._runs.keep()

    async def _archive(self) -> None:
        """Archive a segment or two, of all entries that may be archived or of the older ones."""
        draw = self._choices
        seconds = draw.pick("archive.older", (0, 0, 30))
        before_us = (
            max(0, round(self._network.loop.now_us + EPOCH_US - seconds * 1_000_000)) if seconds else None
        )
        for _ in range(draw.between("archive.count", 1, 3)):
            request = api.ArchiveJournal(before_us=before_us, reason="a test")
            if await self._ask(request) is None:
                self._coverage.hit("archive.nothing")
            elif self._known:
                await self._tell_why(self._known[0])

    async def _keep_journal(self) -> None:
        """Say how long entries are kept in the journal."""
        seconds = self._choices.pick("journal.seconds", (1, 1, 10, 60, None))
        await self._ask(api.KeepJournal(keep_seconds=seconds, reason="a test"))

    async def _schedule(self) -> None:
        draw = self._choices
        schedule = draw_schedule(draw, self._submission(), round(self._network.loop.now_us / 1_000_000))
        answer = await self._ask(
            api.CreateSchedule(schedule=schedule, replace=draw.pick("schedule.replace", (False, True)))
        )
        self._story.tell(f"schedule {schedule.name}: {answer}")

    async def _book(self) -> None:
        await self._ledger.act()

    async def _price(self) -> None:
        await self._prices.act()

    async def _tend(self) -> None:
        await self._schedules.tend()

    async def _state(self) -> None:
        await self._states.act()

    async def _look(self) -> None:
        for job in self._some_known(1):
            what = self._choices.pick("client.look", ("get", "why", "wait"))
            if what == "get":
                self._noted(await self._ask(api.GetJob(id=job)))
            elif what == "why":
                await self._tell_why(job)
            else:
                self._noted(await self._ask(api.WaitForJob(id=job, timeout_seconds=2.0)))

    async def _tell_why(self, job: str) -> None:
        story = await self._ask(api.TellWhy(id=job))
        if story.lines[0].type == "journal.archived":
            self._coverage.hit("archive.told")

    # ------------------------------------------------------------------------------------------------------------------

    def _submission(self, key: str | None = None, kind: str | None = None, **more: Any) -> Submission:
        draw = self._choices
        options = JobOptions(
            queue=draw.pick("job.queue", QUEUES),
            priority=draw.pick("job.priority", (5, 5, 0, 3, 9)),
            key=key,
            attempts_max=draw.between("job.attempts", 1, 4),
            backoff_base_seconds=draw.pick("job.backoff", (0.0, 0.5, 3.0)),
            backoff_max_seconds=10.0,
            run_timeout_seconds=draw.pick("job.run_timeout", (30.0, 2.0, 15.0)),
            cost=draw.pick("job.cost", (1, 1, 1, 2, 5)),
            queue_timeout_seconds=draw.pick("job.queue_timeout", (None, None, 4.0, 40.0)),
            deadline_seconds=draw.pick("job.deadline", (None, None, None, 3.0, 20.0, 90.0)),
            partition=draw.pick("job.partition", (None, "p", "p", "p", "p", "q")),
            criticality=draw.pick("job.criticality", (None, *CRITICALITIES)),
            tags=draw.pick("job.tags", ((), (), ("eu",), ("us", "eu"))),
            traceparent=draw.pick("job.traceparent", (None, None, f"00-{'4b' * 16}-{'7d' * 8}-01")),
        )
        options = msgspec.structs.replace(options, **more)
        self._keys += 1
        value = draw.pick("job.input", (None, {"by": self.name, "nr": self._keys}, "x" * 3_000))
        if key is not None:
            # Whoever uses a key for the same thing says the same; sometimes somebody uses it for something else.
            priority = draw.pick("job.keyed_priority", (5, 5, 5, 0))
            fixed = JobOptions(key=key, priority=priority, attempts_max=2, run_timeout_seconds=15.0)
            return Submission(
                kind="work", input=draw.pick("job.keyed_input", (key, key, "else")), options=fixed
            )
        kind = kind or draw.pick("job.kind", KINDS)
        if kind == VERSIONED:
            options = msgspec.structs.replace(options, version=draw.pick("job.version", (None, None, 1, 2)))
        return Submission(kind=kind, input=value, options=options)

    def _some_known(self, most: int) -> tuple[str, ...]:
        if not self._known:
            return ()
        count = self._choices.between("client.known_count", 1, most)
        drawn = (self._choices.pick("client.known", self._known[::-1]) for _ in range(count))
        return tuple(dict.fromkeys(drawn))

    async def _send(self, submissions: list[Submission]) -> None:
        self._heard(await self._ask(api.SubmitJobs(jobs=tuple(submissions))))

    async def _ask(self, request: api.Request) -> Any:
        if self._connection.is_broken:
            self._connection = Connection(self._network, self.name)
        return await self._connection.call(request, _ANSWER_SECONDS)

    def _heard(self, receipts: list[api.Receipt]) -> None:
        for receipt in receipts:
            self._story.tell(f"has {receipt.id}")
            self._acknowledge(receipt.id)
            self._known.append(receipt.id)

    def _acknowledge(self, job: str) -> None:
        self.acknowledged.append(Acknowledged(job, None))

    def _noted(self, record: Any) -> None:
        final = record.state in ("succeeded", "failed", "cancelled")
        self.acknowledged.append(Acknowledged(record.id, record.state if final else None))
