"""The auditor: holds every committed batch against the model, the stored rows, the journal and the engine's memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sheratan.contracts.limits import Limits
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending
from sheratan.engine.decider import Decider
from sheratan.engine.state import State
from sheratan.kernel.chain import Head
from sheratan.simulation.batches import drawn_in
from sheratan.simulation.beside import archive_faults, retention_faults
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.kept_reads import Changes
from sheratan.simulation.memory import memory_faults
from sheratan.simulation.model import Model
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_state import ModelJob
from sheratan.simulation.pressing import begun_late
from sheratan.simulation.records import CLOCK_STEP_US, Befallen, record_faults
from sheratan.simulation.run_faults import run_faults
from sheratan.simulation.seen import expected, expected_schedules, meant, said, seen, seen_schedules
from sheratan.simulation.store import Killed
from sheratan.simulation.store_checks import StoreChecks, commits_until_look
from sheratan.simulation.story import Story
from sheratan.store.archive import Archive
from sheratan.store.partition_rows import partition_of
from sheratan.store.rows import Result, StepRow, wait_key
from sheratan.store.sqlite.reader import SqliteReader

__all__ = ["Auditor", "Decided"]


class Decided(NamedTuple):
    """A batch that was decided and may be committed, or lost."""

    what: str
    commands: Sequence[Pending]
    abandoned: set[int]
    batch: Batch
    limits: Limits
    befallen: Befallen = Befallen()


class Auditor:
    """Follows one shard through all its engines."""

    def __init__(
        self,
        clock: SimulatedClock,
        coverage: Coverage,
        story: Story,
        changes: Changes,
        archive: Archive,
        *,
        short_windows: bool,
    ) -> None:
        self.model = Model(Limits(), coverage.hit, short_windows=short_windows)
        self.head = Head()
        """The end of the journal as of the last commit that was confirmed."""
        self.batches = 0
        """How many batches it has followed."""
        self._clock = clock
        self.coverage = coverage
        self._story = story
        self._changes = changes
        self._archive = archive
        self._owner: Decider | None = None
        self._decided: Decided | None = None
        self._doubted: Decided | None = None
        self._found: Batch | None = None
        self._failed_us = 0
        self._since_us: int | None = None
        """When nothing could be written for the first time; None when the last batch was."""
        self._refused = 0
        self._owed: list[Pending] = []
        """Lease calls of a batch that was not written: they are to be answered before the next one is decided."""
        self._last_at_us = 0
        self._last_monotonic_us = 0
        self._offset_us = self._offset_before_us = 0
        self._reader: SqliteReader | None = None
        self._checks: StoreChecks | None = None
        self._until_look = 0
        """After how many commits all that is stored and remembered is looked at again."""

    @property
    def is_deciding(self) -> bool:
        """Whether a batch is decided and not yet committed."""
        return self._decided is not None

    # ------------------------------------------------------------------------------------------------------------------
    # What engines do

    def open(self, decider: Decider, found: Head, reader: SqliteReader) -> None:
        """An engine has taken over and found this end: what the last one left in doubt is there, or it is not."""
        lost = self._decided or self._doubted
        self._owner, self._reader = decider, reader
        self._decided = self._doubted = None
        self._since_us, self._refused = None, 0
        self._owed = []
        if lost is not None and not lost.batch.unit.is_empty and found == lost.batch.unit.end != self.head:
            self.coverage.hit("commit.unknown_but_durable")
            self._found = lost.batch
            self._apply(lost)
        elif lost is not None and lost.batch.unit.lines:
            self.coverage.hit("commit.lost_with_crash")
        if found != self.head:
            self.blame(f"the journal ends with {found}; {self.head} was the end of what was committed")
        self._last_at_us, self._last_monotonic_us = self.head.at, self._clock.monotonic_us()
        self._offset_us = self._clock.now_us() - self._clock.monotonic_us()
        # What is archived is as whoever looks at it next believes it to be.
        self._begin_checks(self._archive if decider.state.head.seq % 2 else None)
        self._check_store()

    def decided(self, decider: Decider, decided: Decided) -> None:
        """An engine has decided a batch; it is not committed yet."""
        unit, now_us, monotonic_us = decided.batch.unit, self._clock.now_us(), self._clock.monotonic_us()
        if decider is not self._owner:
            return
        latest_us = max(now_us, self._last_at_us + monotonic_us - self._last_monotonic_us)
        if not (self._last_at_us <= unit.at_us <= latest_us and unit.at_us >= now_us):
            self.blame(f"a batch is recorded at {unit.at_us}, the clock says {now_us}")
        if not all(pending.is_abandoned for pending in self._owed):
            self.blame("a lease call of a batch that was not written was not answered")
        self._owed = []
        if decided.batch.monotonic_us != monotonic_us:
            self.blame(f"a batch took {decided.batch.monotonic_us} for the monotonic clock's {monotonic_us}")
        for late in begun_late(decided.commands, monotonic_us):
            self.blame(f"{late} was begun after its deadline")
        self._last_at_us, self._last_monotonic_us = unit.at_us, monotonic_us
        self._offset_before_us, step_us = self._offset_us, now_us - monotonic_us - self._offset_us
        if abs(step_us) > CLOCK_STEP_US:
            self._offset_us += step_us
        decided = decided._replace(befallen=Befallen(step_us, self._since_us, self._refused))
        if self._doubted is not None:
            # The engine goes on, so it knows that nothing was written.
            lost = self._doubted
            began_us = lost.batch.monotonic_us
            at_us = lost.batch.at_us + self._failed_us - began_us
            self.model.watch_anew(lost.commands, began_us, self._failed_us, at_us)
        self._decided, self._doubted = decided, None

    def committed(self, decider: Decider, batch: Batch) -> None:
        """An engine says that a batch is durable."""
        if decider is not self._owner:
            # It may have stood still right after a commit, before it could see that it was done.
            if not batch.unit.is_empty and batch is not self._found:
                self.blame("an engine that was deposed has committed a batch")
            return
        decided, self._decided = self._decided, None
        assert decided is not None
        assert decided.batch is batch
        self._since_us, self._refused = None, 0
        self._apply(decided)
        self._until_look -= 1
        if self._until_look > 0:
            assert self._checks is not None
            self._blame_all(self._checks.new_faults())
            return
        self._until_look = commits_until_look(self.head, len(self.model.jobs))
        self._check_store()
        self._check_memory(decider)

    def failed(self, decider: Decider, waited: list[Pending]) -> None:
        """An engine says that a batch was not written."""
        decided = self._decided
        if decider is not self._owner or decided is None:
            return
        self.coverage.hit("commit.failed")
        self._owed = waited
        self._until_look = 0
        # After a failed sync it is in doubt until the next engine finds it or does not; the one that failed halts.
        self._decided, self._doubted = None, decided
        self._failed_us = self._clock.monotonic_us()
        self._since_us = decided.batch.unit.at_us if self._since_us is None else self._since_us
        self._refused += len(decided.commands)
        self._offset_us = self._offset_before_us

    def halted(self, decider: Decider, reason: str) -> None:
        """An engine has halted. One that was deposed may trip over what its successor has written, to no effect."""
        if decider is self._owner:
            self.blame(f"an engine has halted without a cause: {reason}")

    def finish(self, reader: SqliteReader) -> None:
        """The world has come to rest: look at everything once more, with what was archived and without it."""
        self._reader = reader
        for archive in (None, self._archive) if reader.segments() else (self._archive,):
            self._begin_checks(archive)
            self._check_store()
        for number, job in self.model.jobs.items():
            if not job.is_pruned:
                self._compare_job(number)

    # ------------------------------------------------------------------------------------------------------------------
    # The model

    def _apply(self, decided: Decided) -> None:
        batch, model = decided.batch, self.model
        self.batches += 1
        actual = {id(pending): (value, error) for pending, value, error in batch.answers}
        model.begin(batch.unit.at_us, batch.monotonic_us, actual, drawn_in(batch))
        try:
            if decided.what == "start":
                model.start(decided.limits)
            elif decided.what == "stop":
                model.stop()
            else:
                model.decide(decided.commands, decided.abandoned)
        except Refused as refusal:
            self.blame(f"the engine gave an answer that no rule allows: {refusal.code} was to be expected")
        if decided.befallen.since_us is not None:
            self.coverage.hit("engine.resumed")
        if not batch.unit.is_empty:
            self.head = batch.unit.end
            self._tell(batch)
        if self._story.violation is None:
            self._compare_answers(actual, batch)
            self._compare_jobs(batch)
            self._compare_schedules()
            self._compare_records(decided)
            assert self._reader is not None
            reader = self._reader
            for fault in (
                *run_faults(reader, model),
                *retention_faults(reader, model),
                *archive_faults(reader, model, batch),
            ):
                self.blame(fault)

    def _compare_records(self, decided: Decided) -> None:
        model = self.model
        if model.made:
            self.blame(f"bulk operations have made {model.made}, of which the model knows nothing")
        others = {bulk.whom for bulk in model.bulks.values()} | model.starters
        others |= {one.owner for one in model.schedules.values()}
        for fault in record_faults(decided.batch, decided.commands, model.noted, decided.befallen, others):
            self.blame(fault)

    def _tell(self, batch: Batch) -> None:
        for entry in batch.unit.entries:
            self._story.tell(f"#{entry.seq} {entry.type} {entry.subject}")
        self._story.tell(f"committed up to {self.head.seq}, {self.head.hash[:16]}")

    def _compare_answers(self, actual: dict[int, Any], batch: Batch) -> None:
        expected = self.model.answers
        commands = {id(pending): pending.command for pending, _, _ in batch.answers}
        for key in expected.keys() | actual.keys():
            name = type(commands[key]).__name__ if key in commands else "a command"
            if key not in actual:
                self.blame(f"{name} was not answered; the model says {expected[key]!r}")
            elif key not in expected:
                self.blame(f"{name} was answered with {said(actual[key])}, and should not be answered yet")
            elif said(actual[key]) != meant(expected[key]):
                self.blame(f"{name}: {said(actual[key])}; the model says {meant(expected[key])}")

    def _compare_jobs(self, batch: Batch) -> None:
        moved = set(batch.unit.moves)
        if moved != self.model.moved:
            self.blame(f"jobs {sorted(moved)} were changed; the model says {sorted(self.model.moved)}")
        for number in sorted(moved):
            self._compare_job(number)
        self._compare_partitions(batch)
        stops = sorted((one.number, one.fence, one.reason) for _, one in batch.stops)
        if stops != sorted(self.model.stops):
            self.blame(f"attempts are told to stop: {stops}; the model says {self.model.stops}")

    def _compare_partitions(self, batch: Batch) -> None:
        """Each new job has the partition that it was to have."""
        assert self._reader is not None
        numbers = {job.number: partition_of(job.lane) for job in batch.unit.jobs}
        names = self._reader.partitions(set(numbers.values()) - {0})
        for number, partition in numbers.items():
            wanted = self.model.jobs[number].wanted.partition
            if names.get(partition) != wanted:
                self.blame(f"job {number} is of partition {names.get(partition)}; the model says {wanted}")

    def _compare_schedules(self) -> None:
        assert self._reader is not None
        stored, wanted = (
            seen_schedules(self._reader.all_schedules()),
            expected_schedules(self.model.schedules),
        )
        if stored != wanted:
            self.blame(f"the schedules are {stored}; the model says {wanted}")

    def _compare_job(self, number: int) -> None:
        assert self._reader is not None
        job, stored = self.model.jobs[number], self._reader.location(number)
        place = expected(job)
        if stored is None or seen(stored) != place:
            self.blame(f"job {number} is stored as {stored}; the model says {place}")
        self._compare_steps(job)
        self._compare_waits(job)
        self._compare_awaited(job)
        tags = tuple(self._reader.tags(number))
        if tags != job.wanted.tags:
            self.blame(f"job {number} has the tags {tags}; {job.wanted.tags} were asked for")
        if isinstance(stored, Result) and job.state == "succeeded":
            output = self._reader.payload(stored.payload) if stored.payload else stored.output
            if output != job.output:
                self.blame(f"job {number} has the output {output!r}; {job.output!r} was reported")

    def _compare_steps(self, job: ModelJob) -> None:
        assert self._reader is not None
        rows = self._reader.steps(job.number, 0, len(job.steps) + 1)
        stored = [(row.name, row.occurrence, self._output_of(row)) for row in rows]
        if stored != job.steps:
            self.blame(f"job {job.number} has the steps {stored}; the model says {job.steps}")

    def _compare_waits(self, job: ModelJob) -> None:
        assert self._reader is not None
        waits = [row[3:] for row in self._reader.waits(job.number)]
        if waits != job.waits:
            self.blame(f"job {job.number} waits for {waits}; the model says {job.waits}")
        rows = self._reader.signals(job.number)
        signals = [
            (row.name, self._reader.payload(row.payload) if row.payload else row.output) for row in rows
        ]
        if signals != job.signals:
            self.blame(f"job {job.number} has the signals {signals}; the model says {job.signals}")

    def _compare_awaited(self, job: ModelJob) -> None:
        assert self._reader is not None
        rows = self._reader.awaited_by(job.number)
        awaited = {
            (wait.name, wait.occurrence): {row.awaited for row in rows if wait_key(row) == wait_key(wait)}
            for wait in self._reader.waits(job.number)
            if wait.what == "jobs"
        }
        if awaited != job.awaits:
            self.blame(f"job {job.number} waits for the jobs {awaited}; the model says {job.awaits}")

    def _output_of(self, row: StepRow) -> bytes | None:
        assert self._reader is not None
        if row.failed:
            return None
        return self._reader.payload(row.payload) if row.payload else row.output

    # ------------------------------------------------------------------------------------------------------------------
    # What must hold at every committed state

    def _begin_checks(self, archive: Archive | None) -> None:
        """Look at everything from the beginning: a crash may have changed what had been looked at."""
        assert self._reader is not None
        self._checks = StoreChecks(self._reader, self._changes, archive)

    def _check_store(self) -> None:
        assert self._checks is not None
        self._blame_all(self._checks.faults(self.model))

    def _blame_all(self, faults: Iterable[str]) -> None:
        for fault in faults:
            self.blame(fault)

    def _check_memory(self, decider: Decider) -> None:
        """What the engine remembers is what it would read from the database, and what the model says of workers."""
        mine = decider.state
        assert self._checks is not None
        for fault in memory_faults(mine, self._checks.fresh_memory(mine.limits)):
            self.blame(fault)
        for name, kept, wanted in (self._workers(mine), *self._attempts(mine)):
            if kept != wanted:
                self.blame(f"{name}: {kept} in memory, {wanted} was to be expected")

    def _attempts(self, mine: State) -> list[tuple[str, Any, Any]]:
        running = [self.model.jobs[number] for number in self.model.running]
        ends = {number: held.due_us for number, held in mine.held.items()}
        submitted = {number: jobs for number, jobs in mine.fan_out.items() if jobs}
        return [
            ("when the attempts must end", ends, {job.number: job.deadline_us for job in running}),
            (
                "what the attempts have submitted",
                submitted,
                {one.number: one.fan_out for one in running if one.fan_out},
            ),
        ]

    def _workers(self, mine: State) -> tuple[str, Any, Any]:
        kept = [(one.number, one.heard_us, one.waiting is not None) for one in mine.sessions.values()]
        workers = self.model.workers.values()
        said = [(one.session, one.heard_us, one.waiting is not None) for one in workers]
        return ("the workers on duty", kept, said)

    def blame(self, text: str) -> None:
        """Tell what is wrong, and end the world."""
        self._story.blame(text)
        raise Killed
