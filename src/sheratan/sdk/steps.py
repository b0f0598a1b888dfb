"""The durable steps of one attempt: those that are recorded are given back, the others are run and recorded."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final, Literal, NoReturn, TypeVar

import msgspec

from sheratan.contracts.api import ProposalAnswer, ProposeJobs, SpawnJobs
from sheratan.contracts.approvals import AskApproval
from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.errors import InvalidInput, LostLease
from sheratan.contracts.jobs import JobError, Name, Submission
from sheratan.contracts.proposals import PROPOSED, Proposal
from sheratan.contracts.values import convert, misfit
from sheratan.contracts.worker import PATCH_PREFIX, Assignment, StepRecord, StepReport, Wait, What
from sheratan.sdk import step_replay
from sheratan.sdk.errors import (
    FINAL_CLASSES,
    ApprovalDenied,
    ApprovalExpired,
    Fatal,
    HandlerError,
    InvalidOutput,
    NotRecorded,
    Stalled,
    StepFailed,
    WaitTimedOut,
    describe,
)
from sheratan.sdk.step_output import StepOutput, Unreadable
from sheratan.sdk.step_replay import Key, Replay, changed
from sheratan.sdk.step_watch import tell_of
from sheratan.sdk.surroundings import Alone, Surroundings

__all__ = ["OnFailure", "Parked", "Steps"]

T = TypeVar("T")

QUIET_SECONDS: Final = 0.2
"""How long a handler that waits in one branch may take in the others until it asks for a step: then it is parked."""

_RUNS: Final[ContextVar[tuple[Steps, str] | None]] = ContextVar("sheratan_step", default=None)
"""The step that runs in this task, if one does, and whose it is."""

OnFailure = Literal["ends attempt", "final", "recorded"]
"""What comes of a step's failure: another attempt; or it is recorded, as one that is for good or as what it is."""

_NULL: Final = msgspec.Raw(b"null")


class Parked(Exception):
    """The attempt has given its slot back."""


class _FailedForNow(StepFailed):
    """A step has failed, and another attempt may run it again."""


class Steps:
    """Steps and waits, as a handler asks for them.

    A step that fails and may be tried again ends the attempt: its handler is stopped once the steps beside it have
    ended, for what they did must be recorded. Only a failure that is for good is recorded, and told to the handler.
    """

    def __init__(
        self, assignment: Assignment, recorded: Sequence[StepRecord], surroundings: Surroundings
    ) -> None:
        self.waits: dict[Key, Wait] = {}
        """What the handler waits for."""
        self.is_parked = False
        """Whether the attempt has given its slot back, whatever its handler does; it starts no more steps."""
        self.failure: HandlerError | None = None
        """What the attempt has failed of, whatever its handler does; it starts no more steps."""
        self._assignment = assignment
        self._around = surroundings
        # A patch that is not asked for any more is no change.
        patches = [record for record in recorded if record.name.startswith(PATCH_PREFIX)]
        self._replay = Replay(
            [record for record in recorded if not record.name.startswith(PATCH_PREFIX)],
            self._fail_with,
            # An attempt must not run out of time before it is seen what is wrong with it.
            min(step_replay.PATIENCE_SECONDS, assignment.run_timeout_us / 2_000_000),
        )
        self._patches = {
            record.name.removeprefix(PATCH_PREFIX): bytes(record.output) == b"true" for record in patches
        }
        """Which way the handler goes, by the names of its patches."""
        self._names: Counter[str] = Counter()
        self._step = len(recorded)
        self._began: dict[Key, float] = {}
        self._running = 0
        self._none_runs: asyncio.Event | None = None
        self._lost: LostLease | None = None
        self._held: list[asyncio.Future[None]] = []
        """Branches of the handler that do not go on in this attempt."""
        self._main = asyncio.current_task()
        self._quiet: asyncio.TimerHandle | None = None
        self._is_over = False

    # ------------------------------------------------------------------------------------------------------------------
    # What a handler asks for

    async def run(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        on_failure: OnFailure = "ends attempt",
    ) -> Any:
        """The output of a step: recorded before, or run now and recorded."""
        _check_name(name)
        kind = StepOutput.of(function)
        key = self._take_key(name)
        record = await self._replay.record(key)
        if record is None:
            call = partial(self._call, function, arguments)
            data = await self._begin(lambda: self._execute(key, kind, call, on_failure))
        elif record.error is not None:
            raise StepFailed(name, record.error)
        else:
            data = record.output
        try:
            return kind.read(data)
        except Unreadable as error:
            if record is None:
                text = f"what step {name!r} gave cannot be made anew of its JSON ({error})"
                raise InvalidOutput(text) from error
            text = f"the output of step {name!r} that is recorded is of another type ({error})"
            self._fail_with(changed(record, "output", error.places, text))
        return await self._hold()

    async def patched(self, name: str) -> bool:
        """Which way a patched handler goes: the new one unless the job is past this point; once decided, recorded."""
        _check_name(name)
        self._check_may_ask(name)
        known = self._patches.get(name)
        if known is None:
            known = self._patches[name] = self._replay.is_over
            data = msgspec.Raw(b"true" if known else b"false")
            await self._begin(lambda: self._record((f"{PATCH_PREFIX}{name}", 1), output=data))
        return known

    async def spawn(self, name: str, jobs: Sequence[Submission]) -> list[str]:
        """The ids of jobs that were submitted as a step, in an earlier attempt or now."""
        number, fence = self._assignment.number, self._assignment.fence
        asked = SpawnJobs(session=0, number=number, fence=fence, step=1, name=name, jobs=tuple(jobs))
        return await self._submit(name, asked, list[str])

    async def propose(self, proposals: Sequence[Proposal], budget: ProposalBudget) -> ProposalAnswer:
        """What has become of jobs that were proposed as a step, in an earlier attempt or now."""
        number, fence = self._assignment.number, self._assignment.fence
        asked = ProposeJobs(
            session=0, number=number, fence=fence, step=1, proposals=tuple(proposals), budget=budget
        )
        answer = await self._submit(PROPOSED, asked, ProposalAnswer)
        if answer.stalled:
            # Whatever its handler would make of it: it has had its chances.
            self._fail_with(Stalled("nothing that it has proposed was accepted, call after call"))
            await self._hold()
        return answer

    async def _submit(self, name: str, asked: SpawnJobs | ProposeJobs, answer: type[T]) -> T:
        key = self._take_key(name)
        record = await self._replay.record(key)
        if record is None:
            return await self._begin(lambda: self._submit_now(key, asked))
        if record.error is not None:
            raise StepFailed(name, record.error)
        return msgspec.json.decode(record.output, type=answer)

    async def wait(self, what: What, name: str, given: dict[str, Any]) -> Any:
        """What a wait has given; an attempt that does nothing but wait gives its slot back."""
        key = self._take_key(name)
        wait = convert({"what": what, "name": name, "occurrence": key[1], **given}, Wait)
        record = await self._replay.record(key)
        if record is not None and record.error is not None:
            raise WaitTimedOut(name, record.error)
        if record is not None:
            return msgspec.json.decode(record.output)
        return await self._park_for(key, wait)

    async def _park_for(self, key: Key, wait: Wait) -> NoReturn:
        """This branch goes on in a later attempt."""
        self.waits[key] = wait
        is_alone = asyncio.current_task() is self._main and len(self.waits) == 1
        self._park_after(0 if is_alone else QUIET_SECONDS)
        await self._hold()

    async def approve(self, name: str, given: dict[str, Any]) -> Any:
        """What people have approved. The engine is asked in every attempt: it knows what was asked for before."""
        key = self._take_key(name)
        fixed = {"session": 0, "number": self._assignment.number, "fence": self._assignment.fence}
        try:
            asks = convert(fixed | {"name": name, "occurrence": key[1], **given}, AskApproval)
        except InvalidInput as error:
            raise Fatal(str(error)) from error
        if self._replay.announce(key):
            # Before its turn, so that nothing comes between a record and what the handler does with it.
            try:
                await self._begin(lambda: self._tell(asks))
            except HandlerError:
                await self._replay.record(key)
                raise
        record = await self._replay.record(key)
        if record is None:
            public_id: str = await self._begin(lambda: self._tell(asks))
            wait = Wait(name=name, occurrence=key[1], what="approval", key=public_id)
            await self._park_for(key, wait)
        if record.error is not None:
            failure = ApprovalDenied if record.error.type == "ApprovalDenied" else ApprovalExpired
            raise failure(name, record.error)
        return msgspec.json.decode(record.output)

    def occurrence_of(self, name: str) -> int:
        """How often this name was asked for."""
        return self._names[name]

    def _check_may_ask(self, name: str) -> None:
        runs = _RUNS.get()
        if runs is not None and runs[0] is self:
            raise Fatal(f"{name!r} is asked for within step {runs[1]!r}; a step has no steps of its own")
        if self._is_over:
            raise LostLease(f"{name!r} is asked for after the handler has ended")

    def _take_key(self, name: str) -> Key:
        self._check_may_ask(name)
        self._names[name] += 1
        return name, self._names[name]

    # ------------------------------------------------------------------------------------------------------------------
    # The end of the attempt

    def finish(self) -> None:
        """The handler has given its output. Raises what the attempt has come to all the same, or CodeChanged."""
        if self.failure is not None:
            raise self.failure
        if self.is_parked:
            raise Parked
        self._replay.check_all_given()

    def close(self) -> None:
        """The handler has ended, and asks for nothing any more."""
        self._is_over = True
        self._replay.close()
        if self._quiet is not None:
            self._quiet.cancel()
        for held in self._held:
            held.cancel()

    async def wait_ended(self) -> None:
        """What a handler has left running ends, and is recorded, before its attempt is over."""
        if self._running:
            self._none_runs = asyncio.Event()
            await self._none_runs.wait()

    def _fail_with(self, error: HandlerError) -> None:
        """The attempt has failed; the first failure counts."""
        self.failure = self.failure or error
        self._stop_if_idle()

    def _stop_if_idle(self) -> None:
        if (self.failure is not None or self.is_parked) and not self._running and not self._is_over:
            self._around.stop()

    def _park_after(self, seconds: float) -> None:
        """Give the slot back unless anything is asked for before this time is over."""
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if self.waits and not self._running and not self._is_over:
            self._quiet = asyncio.get_running_loop().call_later(seconds, self._park)

    def _park(self) -> None:
        if self.failure is None:
            self.is_parked = True
        self._stop_if_idle()

    async def _hold(self) -> NoReturn:
        """This branch does not go on in this attempt."""
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(held)
        if self._is_over:
            held.cancel()
        await held
        raise AssertionError("a branch that is held goes on")

    # ------------------------------------------------------------------------------------------------------------------
    # A step that is run

    async def _begin(self, execute: Callable[[], Awaitable[T]]) -> T:
        """Run a step, unless the attempt is about to end."""
        if self._lost is not None:
            raise self._lost
        if self.failure is None and not self.is_parked and not self._is_over:
            self._running += 1
            self._park_after(0)
            try:
                return await execute()
            except (_FailedForNow, NotRecorded) as error:
                self.failure = self.failure or error
            except LostLease as error:
                self._lost = error
                raise
            finally:
                self._one_less()
        self._stop_if_idle()
        return await self._hold()

    def _one_less(self) -> None:
        self._running -= 1
        self._park_after(QUIET_SECONDS)
        self._stop_if_idle()
        if self._none_runs is not None and not self._running:
            self._none_runs.set()

    async def _execute(
        self, key: Key, kind: StepOutput, call: Callable[[], Awaitable[Any]], on_failure: OnFailure
    ) -> bytes:
        before = _RUNS.get()
        _RUNS.set((self, key[0]))
        self._began[key] = asyncio.get_running_loop().time()
        tell_of(self._assignment, key[0])
        try:
            data = kind.dump(await call())
        except (Exception, SystemExit) as error:
            await self._fail(key, error, on_failure)
        finally:
            _RUNS.set(before)
        await self._record(key, output=msgspec.Raw(data))
        return data

    async def _submit_now(self, key: Key, asked: SpawnJobs | ProposeJobs) -> Any:
        self._step += 1
        return await self._tell(msgspec.structs.replace(asked, step=self._step, occurrence=key[1]))

    async def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call an async function here, and a plain one in a thread: it may block."""
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        run = copy_context().run
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._around.threads, run, function, *arguments)
        return await found if inspect.isawaitable(found) else found

    async def _fail(self, key: Key, error: Exception | SystemExit, on_failure: OnFailure) -> NoReturn:
        """A step has failed: for this attempt, or so that it is recorded."""
        described = describe(error)
        given = self._assignment
        if on_failure == "final" and described.error_class not in FINAL_CLASSES:
            described = msgspec.structs.replace(described, error_class="fatal", retry_after_seconds=None)
        is_last = given.attempt - given.worker_losses >= given.attempts_max
        ends_attempt = on_failure == "ends attempt" and not is_last
        if ends_attempt and described.error_class not in FINAL_CLASSES:
            raise _FailedForNow(key[0], described)
        await self._record(key, error=described)
        raise StepFailed(key[0], described) from error

    async def _record(self, key: Key, *, output: msgspec.Raw = _NULL, error: JobError | None = None) -> None:
        self._step += 1
        began, now = self._began.pop(key, None), asyncio.get_running_loop().time()
        await self._tell(
            StepReport(
                number=self._assignment.number,
                fence=self._assignment.fence,
                step=self._step,
                name=key[0],
                occurrence=key[1],
                output=output,
                error=error,
                took_us=None if began is None else round((now - began) * 1_000_000),
            )
        )

    async def _tell(self, what: StepReport | Alone) -> Any:
        told = asyncio.ensure_future(self._around.send(what))
        while True:
            try:
                return await asyncio.shield(told)
            except asyncio.CancelledError:
                if told.cancelled() or self._around.is_cancelled():
                    raise
                # Its handler gives up a step that is done: it counts, for the next attempt will find it.


def _check_name(name: Any) -> None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise Fatal(f"{name!r:.200} is no name for a step: {misfit(error, Name).detail}") from error
