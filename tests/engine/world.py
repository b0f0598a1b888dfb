"""A world in which the decider lives: time stands still until told, and each call is one committed batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.api import ListSteps
from sheratan.contracts.budgets import DEFAULT_BUDGET, ProposalBudget
from sheratan.contracts.code import Difference
from sheratan.contracts.errors import SheratanError, Unavailable
from sheratan.contracts.flow import NO_LIMITS, FlowLimits
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import ErrorClass, JobError, JobRecord, KindDescription, Options, Submission
from sheratan.contracts.journal import GENESIS, Entry
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.proposals import Proposal, ProposalAnswer, ProposeJobs
from sheratan.contracts.runs import RunRecord
from sheratan.contracts.schedules import FiringReceipt, FiringRecord, Schedule
from sheratan.contracts.worker import (
    Assignment,
    Outcome,
    Registration,
    Report,
    StepReport,
    StopRequest,
    Wait,
)
from sheratan.contracts.workflow_requests import ForkRun
from sheratan.contracts.workflows import Workflow
from sheratan.engine import commands
from sheratan.engine.batch import Batch
from sheratan.engine.blockers import Blockers
from sheratan.engine.decider import Decider
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.explain import story
from sheratan.engine.prepare import (
    KindRegistry,
    prepare,
    prepare_reports,
    prepare_signal,
    prepare_steps,
)
from sheratan.engine.prepare_proposals import prepare_proposals
from sheratan.engine.prepare_runs import prepare_fork, prepare_run
from sheratan.engine.replay import replay
from sheratan.engine.run_views import run_record
from sheratan.engine.state import State
from sheratan.engine.verify import verify
from sheratan.engine.views import find_view, job_record, step_records
from sheratan.kernel.chain import Head, decode_entry
from sheratan.kernel.replay import RULE_MODULES
from sheratan.kernel.rules import find_rule
from sheratan.simulation.memory import memory_faults
from sheratan.store.rows import Location, ScheduleRow
from sheratan.store.sqlite.store import SqliteStore, open_store
from sheratan.store.unit import state_of

__all__ = ["BIG", "PERSON", "SECOND", "Answer", "OnDisk", "World", "check_chain", "limit_pages"]

SECOND = 1_000_000
PERSON = Principal(actor="local:tester", auth="embedded", on_behalf_of="local:tester")
KINDS = ("work", "other")
BIG = "x" * 50_000
"""An input that does not fit on a disk that is full."""

assert RULE_MODULES, "loading them registers every rule"


class Answer:
    """What a caller hears, as a future would."""

    def __init__(self) -> None:
        self._value: Any = None
        self.error: BaseException | None = None
        self.given = False

    def done(self) -> bool:
        return self.given

    def set_result(self, result: Any, /) -> None:
        self.given, self._value = True, result

    def set_exception(self, exception: BaseException, /) -> None:
        self.given, self.error = True, exception

    @property
    def value(self) -> Any:
        """The answer; a refusal is raised."""
        assert self.given, "nobody has answered yet"
        if self.error is not None:
            raise self.error
        return self._value


class OnDisk:
    """Who has a store, on a disk that can be filled."""

    store: SqliteStore

    def fill_disk(self) -> None:
        """From now on the database may not grow."""
        limit_pages(self.store, full=True)

    def free_disk(self) -> None:
        """From now on the database may grow again."""
        limit_pages(self.store, full=False)


class World(OnDisk):
    """A decider over a SQLite store, driven as `engine.driver` drives it."""

    def __init__(self, path: Path | None = None, *, limits: Limits | None = None, seed: int = 1) -> None:
        self.path = path or Path(":memory:")
        self.limits = limits or Limits()
        self.clock = VirtualClock()
        self.randomness = SeededRandomness(seed)
        self.registry = KindRegistry(
            lambda offered_as: any(offered_as in one.offers for one in self.state.sessions.values())
        )
        for name in KINDS:
            self.registry.declare(KindDescription(name=name), None)
        self.stops: list[StopRequest] = []
        self.store = open_store(self.path, self.clock.now_us())
        self.start()

    # ---------------------------------------------------------------------------------------------------------------
    # Life and death

    def start(self) -> None:
        """An engine takes over."""
        self.decider = Decider(self.store, self.clock, self.randomness, self.limits)
        self._commit(self.decider.start("test"))
        self._go_on(more=False)

    def crash(self, losing: Sequence[commands.Command] = ()) -> None:
        """Die, with a batch of these commands decided but not committed, and start again."""
        if losing:
            self.decider.decide([commands.Pending(command, PERSON, Answer()) for command in losing])
        if str(self.path) != ":memory:":
            self.store.close()
            self.store = open_store(self.path, self.clock.now_us())
        self.start()

    def restart(self) -> None:
        """Stop cleanly and start again."""
        self._commit(self.decider.stop())
        self.crash()

    def close(self) -> None:
        """Give the file back."""
        self.store.close()

    # ---------------------------------------------------------------------------------------------------------------
    # Batches

    def batch(self, *given: commands.Command, by: Principal = PERSON) -> list[Answer]:
        """Decide these commands in one batch, commit it, and answer; then whatever follows at once."""
        answers = [Answer() for _ in given]
        pending = [
            commands.Pending(command, by, answer) for command, answer in zip(given, answers, strict=True)
        ]
        try:
            batch = self.decider.decide(pending)
            self._commit(batch)
        except BaseException as error:
            for waited in self.decider.failed():
                if waited not in pending:
                    waited.answer([], None)
            if not isinstance(error, SheratanError):
                raise
            if isinstance(error, Unavailable):
                self.decider.suffer(str(error), len(pending))
            for one in pending:
                one.answer(None, error)
            return answers
        self._go_on(more=batch.more)
        return answers

    def ask(self, command: commands.Command, by: Principal = PERSON) -> Any:
        """One command in a batch of its own; a refusal is raised."""
        return self.batch(command, by=by)[0].value

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, and what is due happen."""
        self.clock.advance(round(seconds * SECOND))
        self.batch()

    def _go_on(self, *, more: bool) -> None:
        turns = 0
        while more or self.decider.next_wake_us() == 0:
            batch = self.decider.decide([])
            self._commit(batch)
            more = batch.more
            turns += 1
            assert turns < 10_000, "the engine does not come to rest"

    def _commit(self, batch: Batch) -> None:
        if not batch.unit.is_empty:
            self.store.commit(batch.unit)
        self.decider.committed(batch)
        for pending, value, error in batch.answers:
            pending.answer(value, error)
        self.stops += [request for _, request in batch.stops]

    # ---------------------------------------------------------------------------------------------------------------
    # What callers ask

    def submission(self, kind: str = "work", value: Any = None, **options: Any) -> commands.Submit:
        """A checked submission of one job."""
        wanted = Submission(kind=kind, input=value, options=msgspec.convert(options, Options))
        return commands.Submit(jobs=prepare((wanted,), self.registry, self.limits))

    def submissions(self, *jobs: Submission) -> commands.Submit:
        """A checked submission of several jobs."""
        return commands.Submit(jobs=prepare(jobs, self.registry, self.limits))

    def submit(self, kind: str = "work", value: Any = None, **options: Any) -> str:
        """Submit a job and return its id."""
        [(public_id, _)] = self.ask(self.submission(kind, value, **options))
        return str(public_id)

    def register(
        self,
        name: str = "w",
        kinds: Sequence[str] = KINDS,
        *,
        slots: int = 10,
        local: bool = True,
        limits: FlowLimits = NO_LIMITS,
        code: str = "",
    ) -> int:
        """A worker comes on duty; a version of a kind is given as `pay@2`, and `code` is that of all handlers."""
        described = tuple(
            KindDescription(name=name, version=int(version or 1), limits=limits, code=code)
            for name, _, version in (kind.partition("@") for kind in kinds)
        )
        for one in described:
            self.registry.declare(one, None)
        registration = Registration(name=name, kinds=described, slots=slots)
        session: int = self.ask(commands.RegisterWorker(registration=registration, local=local))
        return session

    def ask_lease(self, session: int, slots: int = 1) -> Answer:
        """A worker asks for work; the answer may come later."""
        return self.batch(commands.LeaseJobs(session=session, slots=slots))[0]

    def lease(self, session: int, slots: int = 1) -> list[Assignment]:
        """A worker asks for work and gets it now."""
        found: list[Assignment] = self.ask_lease(session, slots).value
        return found

    def settlement(
        self,
        given: Assignment,
        outcome: Outcome = "succeeded",
        *,
        output: Any = None,
        error: JobError | None = None,
        session: int = 0,
    ) -> commands.Settle:
        """A checked report."""
        report = Report(number=given.number, fence=given.fence, outcome=outcome, output=output, error=error)
        return commands.Settle(session=session, reports=prepare_reports([report], self.limits))

    def settle(
        self,
        given: Assignment,
        outcome: Outcome = "succeeded",
        *,
        output: Any = None,
        error: JobError | None = None,
        session: int = 0,
    ) -> bool:
        """An attempt has ended; says whether the report counted."""
        settlement = self.settlement(given, outcome, output=output, error=error, session=session)
        [counted] = self.ask(settlement)
        return bool(counted)

    def steps(self, given: Assignment, *steps: tuple[int, str, Any], occurrence: int = 1) -> list[bool]:
        """An attempt records steps; says of each whether it counted."""
        found: list[bool] = self.ask(self.step_command(given, *steps, occurrence=occurrence))
        return found

    def step_command(
        self, given: Assignment, *steps: tuple[int, str, Any], occurrence: int = 1
    ) -> commands.RecordSteps:
        """Checked steps of an attempt: (step, name, output), where a JobError is a failure."""
        reports = [
            StepReport(
                number=given.number,
                fence=given.fence,
                step=step,
                name=name,
                occurrence=occurrence,
                output=msgspec.Raw(msgspec.json.encode(None if isinstance(output, JobError) else output)),
                error=output if isinstance(output, JobError) else None,
            )
            for step, name, output in steps
        ]
        return commands.RecordSteps(steps=prepare_steps(reports, self.limits))

    def spawn(self, given: Assignment, step: int, *jobs: Submission, name: str = "spawn:work") -> list[str]:
        """A running job submits jobs as one of its steps."""
        spawned: list[str] = self.ask(self.spawn_command(given, step, *jobs, name=name))
        return spawned

    def spawn_command(
        self, given: Assignment, step: int, *jobs: Submission, name: str = "spawn:work"
    ) -> commands.Spawn:
        """A checked call of a running job that submits jobs as one of its steps."""
        return commands.Spawn(
            number=given.number,
            fence=given.fence,
            step=step,
            name=name,
            occurrence=1,
            jobs=prepare(jobs, self.registry, self.limits),
        )

    def propose(
        self, given: Assignment, step: int, *proposals: Proposal, budget: ProposalBudget = DEFAULT_BUDGET
    ) -> ProposalAnswer:
        """A running job proposes jobs as one of its steps."""
        answer: ProposalAnswer = self.ask(self.propose_command(given, step, *proposals, budget=budget))
        return answer

    def propose_command(
        self, given: Assignment, step: int, *proposals: Proposal, budget: ProposalBudget = DEFAULT_BUDGET
    ) -> commands.Propose:
        """A checked call of a running job that proposes jobs as one of its steps."""
        request = ProposeJobs(
            session=0,
            number=given.number,
            fence=given.fence,
            step=step,
            occurrence=step,
            proposals=proposals,
            budget=budget,
        )
        return prepare_proposals(request, self.registry, self.limits)

    def park(self, given: Assignment, *waits: Wait) -> bool:
        """An attempt gives its slot back and waits."""
        [counted] = self.ask(self.park_command(given, *waits))
        return bool(counted)

    def park_command(self, given: Assignment, *waits: Wait) -> commands.Settle:
        """A checked report of an attempt that waits."""
        report = Report(number=given.number, fence=given.fence, outcome="waiting", waits=waits)
        return commands.Settle(session=0, reports=prepare_reports([report], self.limits))

    def change(self, given: Assignment, what: str = "other", **more: Any) -> bool:
        """An attempt has found that its code is not the one that recorded the job's steps."""
        [counted] = self.ask(self.change_command(given, what, **more))
        return bool(counted)

    def change_command(self, given: Assignment, what: str = "other", **more: Any) -> commands.Settle:
        """A checked report of an attempt whose code has changed."""
        told = {"what": what, "step": 1, "recorded": "charge", "asked": ("pay",), **more}
        report = Report(
            number=given.number,
            fence=given.fence,
            outcome="code_changed",
            difference=msgspec.convert(told, Difference),
        )
        return commands.Settle(session=0, reports=prepare_reports([report], self.limits))

    def send(self, job: str, name: str, value: Any = None) -> int:
        """Send a signal to a job."""
        data = prepare_signal(value, self.limits)
        return int(self.ask(commands.SendSignal(id=job, name=name, value=data)))

    def schedule_command(
        self, name: str = "s", *, replaces: bool = False, **fields: Any
    ) -> commands.CreateSchedule:
        """A checked schedule; one of jobs of kind `work` unless it says otherwise."""
        fields.setdefault("submission", Submission(kind="work"))
        wanted = Schedule(name=name, **fields)
        return prepare_schedule(wanted, self.registry, self.limits, replaces=replaces)

    def schedule(self, name: str = "s", *, replaces: bool = False, **fields: Any) -> str:
        """Create a schedule, or replace one; says which."""
        return str(self.ask(self.schedule_command(name, replaces=replaces, **fields)))

    def schedule_row(self, name: str = "s") -> ScheduleRow:
        """A schedule as it is stored."""
        row = self.store.schedule("default", name)
        assert row is not None
        return row

    def fired(self, name: str = "s") -> list[str]:
        """The firings that have submitted a job, in order."""
        subject = f"schedule:{name}"
        return [
            entry.data["firing"]
            for entry in self.entries()
            if (entry.type, entry.subject) == ("schedule.fired", subject)
        ]

    def backfill(
        self, name: str, from_us: int, until_us: int, *, dry_run: bool = False
    ) -> list[FiringRecord]:
        """Make up for past firings."""
        command = commands.BackfillSchedule(name=name, from_us=from_us, until_us=until_us, dry_run=dry_run)
        found: list[FiringRecord] = self.ask(command)
        return found

    def trigger(self, name: str, key: str, reason: str = "") -> FiringReceipt:
        """Let a schedule fire out of turn."""
        receipt: FiringReceipt = self.ask(commands.TriggerSchedule(name=name, key=key, reason=reason))
        return receipt

    def recorded(self, job: str) -> list[tuple[int, str, Any]]:
        """The steps of a job as the next attempt would get them."""
        records = step_records(self.store, ListSteps(id=job))
        return [(one.step, one.name, one.error or msgspec.json.decode(one.output)) for one in records]

    def fail(
        self, given: Assignment, error_class: ErrorClass = "retryable", *, after: float | None = None
    ) -> bool:
        """An attempt has failed."""
        error = JobError(
            error_class=error_class, type="Boom", message="it went wrong", retry_after_seconds=after
        )
        return self.settle(given, "failed", error=error)

    def cancel(self, job: str, reason: str = "") -> str:
        """Cancel a job."""
        return str(self.ask(commands.Cancel(id=job, reason=reason)))

    def run(self, session: int, outcome: Outcome = "succeeded", **more: Any) -> Assignment:
        """Lease the next job and settle it."""
        [given] = self.lease(session)
        assert self.settle(given, outcome, **more)
        return given

    def start_command(
        self, workflow: Workflow, value: Any = None, key: str | None = None
    ) -> commands.StartRun:
        """A checked run."""
        return prepare_run(workflow, value, self.registry, self.limits, key)

    def start_run(self, workflow: Workflow, value: Any = None, key: str | None = None) -> str:
        """Run a workflow and return the run's id."""
        return str(self.ask(self.start_command(workflow, value, key))[0])

    def fork_run(self, run: str, node: str | None = None, **changes: Any) -> str:
        """Continue an ended run and return the new one's id."""
        request = ForkRun(id=run, node=node, **changes)
        return str(self.ask(prepare_fork(request, self.registry, self.limits))[0])

    def cancel_run(self, run: str, reason: str = "", *, keeps: bool = False) -> str:
        """Cancel a run."""
        return str(self.ask(commands.CancelRun(id=run, reason=reason, keeps=keeps)))

    # ---------------------------------------------------------------------------------------------------------------
    # What can be seen

    @property
    def state(self) -> State:
        """The decider's memory."""
        return self.decider.state

    def location(self, job: str) -> Location:
        """Where a job is, as committed."""
        found = self.store.location(parse_job_id(job).number)
        assert found is not None
        return found

    def state_of(self, job: str) -> str:
        """In which state a job is, as committed."""
        return state_of(self.location(job))

    def record(self, job: str) -> JobRecord:
        """A job as users see it."""
        offered = frozenset(kind for session in self.state.sessions.values() for kind in session.offers)
        return job_record(self.store, find_view(self.store, job), Blockers(self.store, offered))

    def run_record(self, run: str) -> RunRecord:
        """A run as users see it."""
        return run_record(self.store, run)

    def node_states(self, run: str) -> dict[str, str]:
        """The state of each node of a run."""
        return {node.name: node.state for node in self.run_record(run).nodes}

    def entries(self) -> list[Entry]:
        """The whole journal."""
        return [decode_entry(line) for _, _, body in self.store.pages() for line in body.split(b"\n") if line]

    def types(self, subject: str | None = None) -> list[str]:
        """The types of entries, of all or of one subject, in order."""
        return [entry.type for entry in self.entries() if subject in (None, entry.subject)]

    def last(self, entry_type: str) -> Entry:
        """The newest entry of a type."""
        return next(entry for entry in reversed(self.entries()) if entry.type == entry_type)

    def why(self, job: str) -> list[str]:
        """The types of the lines of a job's story."""
        return [line.type for line in story(self.store, job).lines]

    def told(self, job: str) -> list[str]:
        """The sentences of a job's story."""
        return [line.text for line in story(self.store, job).lines]

    # ---------------------------------------------------------------------------------------------------------------
    # What must hold at every committed state

    def check(self) -> None:
        """Fail unless journal, rows, memory and decisions agree."""
        entries = check_chain(self.store)
        check_decisions(entries)
        self._check_locations()
        assert memory_faults(self.state) == []
        assert verify(self.store).problems == []
        assert replay(self.store).differences == []

    def _check_locations(self) -> None:
        seen: list[int] = [location.number for location in self.store.locations()]
        seen += self.store.result_numbers()
        assert len(seen) == len(set(seen)), "a job is in two places"
        assert sorted(seen) == list(self.store.job_numbers()), "a job is nowhere"


def limit_pages(store: SqliteStore, *, full: bool) -> None:
    """Let the database grow no more, as on a full disk, or let it grow again."""
    connection = store._connection
    [[pages]] = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}").fetchall()


def check_chain(store: SqliteStore) -> list[Entry]:
    """Recompute the chain with nothing but SHA-256, and return the entries."""
    previous, at = GENESIS, 0
    entries: list[Entry] = []
    for first, count, body in store.pages():
        lines = body.split(b"\n")
        assert first == len(entries)
        assert len(lines) == count
        for line in lines:
            entry = decode_entry(line)
            assert entry.seq == len(entries)
            assert entry.prev == previous
            assert entry.at >= at
            assert entry.cause is None or entry.cause < entry.seq
            assert entry.previous is None or entry.previous < entry.seq
            if entry.previous is not None and entries[entry.previous].type != "worker.leased":
                assert entries[entry.previous].subject == entry.subject
            previous, at = hashlib.sha256(line).hexdigest(), entry.at
            entries.append(entry)
    assert store.shard().head == Head(len(entries), previous, at)
    return entries


def check_decisions(entries: Sequence[Entry]) -> None:
    """Every recorded decision comes out the same when its rule is asked again."""
    for entry in entries:
        if entry.decision is not None:
            verdict = find_rule(entry.decision["rule"])(entry.decision["input"])
            assert verdict.chosen == entry.decision["chosen"]
            assert verdict.because == entry.decision["because"]
            assert (verdict.rejected or None) == entry.decision.get("rejected")
