"""A durable handler of the simulated world, over the real steps of the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.approvals import AskApproval, DecideApproval, GetApproval
from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    LostLease,
    NotAllowed,
    SheratanError,
)
from sheratan.contracts.jobs import Submission
from sheratan.contracts.proposals import PROPOSED, Proposal, ProposalAnswer
from sheratan.contracts.worker import PATCH_PREFIX, Assignment, StepRecord, StepReport, Wait, What
from sheratan.sdk.errors import (
    ApprovalDenied,
    ApprovalExpired,
    NotRecorded,
    NotSpawned,
    StepFailed,
    WaitTimedOut,
)
from sheratan.sdk.steps import Steps
from sheratan.sdk.surroundings import Alone, Surroundings
from sheratan.simulation.choices import Choices
from sheratan.simulation.network import Connection
from sheratan.simulation.options import Options
from sheratan.simulation.witness import Code, Witness

__all__ = ["Durable"]

_ANSWER_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.2
_DURABLE_EVERY: Final = 2
CHILD_KIND: Final = "work"
_PATCHED_EVERY: Final = 4
_APPROVERS: Final = (
    (),
    ("local:person0", "local:person1"),
    ("local:client0", "local:person0", "local:person1"),
    ("local:client0", "local:person2"),
    ("local:client0", "local:client1"),
)
_STEPS_AT_ONCE: Final = 2
"""Small, so that what is recorded takes more than one page."""


class Durable:
    """One attempt at a durable job: as many steps as its number says, some beside each other, some that fail."""

    def __init__(
        self,
        connection: Connection,
        session: int,
        given: Assignment,
        choices: Choices,
        witness: Witness,
        code: Code,
    ) -> None:
        self._connection = connection
        self._session = session
        self._given = given
        self._choices = choices
        self._witness = witness
        self._code = code
        self._sending = asyncio.Lock()

    @staticmethod
    def count(given: Assignment, options: Options) -> int:
        """How many steps a job has, in each of its attempts; 0 when it is not durable."""
        return 0 if given.number % _DURABLE_EVERY else given.number // _DURABLE_EVERY % (options.steps + 1)

    async def run(self, count: int, most_us: int) -> tuple[Wait, ...]:
        """Take all steps; returns what the handler waits for, if it does, and raises what the attempt has failed of."""
        recorded = await self._recorded()
        # Which way a job goes is none of the steps that its code has to know.
        is_lost = self._code.is_broken and any(not one.name.startswith(PATCH_PREFIX) for one in recorded)
        around = Surroundings(self._send, lambda: handler.cancel(), lambda: is_stopped)
        steps, is_stopped = Steps(self._given, recorded, around), False
        handle = self._ask_otherwise(steps) if is_lost else self._handle(steps, count, most_us)
        handler = asyncio.create_task(handle)
        try:
            await handler
            steps.finish()
        except asyncio.CancelledError:
            if steps.failure is not None:
                self._witness.coverage.hit("step.ends_attempt")
                raise steps.failure from None
            if not steps.is_parked:
                is_stopped = True
                raise
            return tuple(steps.waits.values())
        finally:
            steps.close()
        return ()

    async def _handle(self, steps: Steps, count: int, most_us: int) -> None:
        first = await self._first_name(steps) if count else "turn"
        for turn in range(count):
            if turn % 2:
                await self._ask_others(steps, turn)
            elif turn % 4 == 2:
                self._witness.coverage.hit("step.beside_another")
                sides = [self._step(steps, f"{side}-{turn}", most_us) for side in "ab"]
                _raise_first(await asyncio.gather(*sides, return_exceptions=True))
            else:
                await self._step(steps, "turn" if turn else first, most_us, occurrence=turn)

    async def _ask_others(self, steps: Steps, turn: int) -> None:
        """Propose jobs, wait, or ask people."""
        number = self._given.number // 2
        if number % 2:
            await self._propose(steps, turn)
        await self._wait(steps, turn)
        if number % 3 == 0:
            await self._wait_for_people(steps, None)

    async def _first_name(self, steps: Steps) -> str:
        """The program that is deployed later does something else first; jobs that have begun stay with the old."""
        number = self._given.number
        if not self._code.is_patched or number % _PATCHED_EVERY:
            return "turn"
        is_new = await steps.patched("first")
        self._witness.waited(number, "patch:first", is_new)
        self._witness.coverage.hit("patch.new_way" if is_new else "patch.old_way")
        return "fresh" if is_new else "turn"

    async def _ask_otherwise(self, steps: Steps) -> None:
        """The code of a program that does not know what its jobs have recorded."""

        async def act() -> None:
            self._witness.story.blame(f"job {self._given.number} does a step that was not there before")

        if self._given.number % 3 == 1:
            await steps.run("another", act, ())

    async def _wait(self, steps: Steps, turn: int) -> None:
        """Sleep, wait for a signal, or both beside each other; which, and for how long, is the code of the handler."""
        seconds = float(self._given.number % 7)
        sleep = self._awaited(steps, "sleep", "wait:sleep", {"seconds": seconds})
        signal = self._awaited(steps, "signal", "wait:signal:go", {"key": "go", "seconds": 12.0 * seconds})
        what = (self._given.number // 2 + turn) % 6
        if what > 3:
            signal.close()
            await self._wait_for_people(steps, sleep)
            return
        if what in (0, 3):
            signal.close()
        if what in (1, 3):
            sleep.close()
        if what == 0:
            await sleep
        elif what == 1:
            await signal
        elif what == 3:
            await self._wait_for_children(steps, seconds)
        else:
            _raise_first(await asyncio.gather(sleep, signal, return_exceptions=True))

    async def _wait_for_people(self, steps: Steps, sleep: Coroutine[Any, Any, None] | None) -> None:
        """Wait for an approval, sometimes with a sleep beside it; what is asked is the code of the handler."""
        number = self._given.number // 2
        approvers = _APPROVERS[number % len(_APPROVERS)]
        given = {
            "question": "May it?",
            "subject": {"of": number, "text": "x" * (3_000 if number % 3 else 3)},
            "approvers": approvers,
            "approvals": 2 if number % 4 in {0, 3} else 1,
            "self_approval": number % 3 == 0,
            "seconds": (20.0, 5.0, 90.0, 300.0)[number // 4 % 4],
        }
        approval = self._approved(steps, given)
        if sleep is None:
            await approval
        elif number % 2:
            sleep.close()
            await approval
        else:
            _raise_first(await asyncio.gather(approval, sleep, return_exceptions=True))

    async def _approved(self, steps: Steps, given: dict[str, Any]) -> None:
        name = "wait:approval"
        key = f"{name}/{steps.occurrence_of(name) + 1}"
        try:
            output = await steps.approve(name, given)
        except (ApprovalDenied, ApprovalExpired) as error:
            output = error.error.message
        self._witness.waited(self._given.number, key, output)

    async def _wait_for_children(self, steps: Steps, seconds: float) -> None:
        name, number = "spawn:work", self._given.number
        key = f"{name}/{steps.occurrence_of(name) + 1}"
        jobs = [Submission(kind=CHILD_KIND, input={"of": number, "nr": nr}) for nr in range(1 + number % 3)]
        ids = await steps.spawn(name, jobs)
        self._witness.got(number, key, ids)
        # The children may end before this one begins to wait for them, or after.
        await asyncio.sleep(self._choices.pick("worker.gathers_after", (0.0, 0.002, 0.02, 0.5)))
        given = {"jobs": tuple(ids), "seconds": 20.0 * seconds or None}
        await self._awaited(steps, "jobs", "wait:jobs", given)

    async def _propose(self, steps: Steps, turn: int) -> None:
        """Propose jobs, as one that plans: some of them again and again, some of no kind; wait for those it gets."""
        number = self._given.number // 4
        budget = ProposalBudget(
            jobs_max=(1, 25, 4)[number % 3],
            depth_max=(1, 5, 2)[number // 3 % 3],
            wall_seconds_max=(300.0, 5.0)[number // 2 % 2],
            stalls_after=(3, 2, 1)[number % 5 % 3],
        )
        for call in range(3):
            key = f"{PROPOSED}/{steps.occurrence_of(PROPOSED) + 1}"
            spread = call + number % 2
            wanted = [(number + turn + spread * nr) % 5 for nr in range(1 + number // 2 % 3)]
            kinds = ["ghost" if (number + call) % 5 == nr else CHILD_KIND for nr in range(len(wanted))]
            pairs = zip(kinds, wanted, strict=True)
            answer = await steps.propose(
                [Proposal(kind=kind, input={"nr": nr}) for kind, nr in pairs], budget
            )
            self._witness.got(self._given.number, key, answer)
            ids = tuple(one for one in answer.verdicts if isinstance(one, str))
            if ids and number % 3:
                await self._awaited(steps, "jobs", "wait:jobs", {"jobs": ids, "seconds": 20.0})

    async def _awaited(self, steps: Steps, what: What, name: str, given: dict[str, Any]) -> None:
        occurrence = steps.occurrence_of(name) + 1
        key = f"{name}/{occurrence}"
        try:
            output = await steps.wait(what, name, given)
        except WaitTimedOut as error:
            output = error.error.message
        self._witness.waited(self._given.number, key, output)

    async def _step(self, steps: Steps, name: str, most_us: int, occurrence: int = 0) -> None:
        key = f"{name}/{occurrence}"
        number = self._given.number

        async def act() -> Any:
            self._witness.does(number, key, self._given.fence)
            await asyncio.sleep(self._choices.between("worker.step", 0, most_us) / 1_000_000)
            if self._choices.chance("worker.step_fails", 100):
                raise ValueError(str(self._given.fence))
            return {"key": key, "fence": self._given.fence}

        try:
            output = await steps.run(name, act, (), "ends attempt" if number % 4 else "final")
        except StepFailed as error:
            self._witness.got(number, key, {"failed": key, "fence": int(error.error.message)})
            self._witness.coverage.hit("step.failed")
            if number % 4:
                raise
            # This handler goes on: what failed stays so.
            return
        self._witness.got(number, key, output)

    async def _recorded(self) -> list[StepRecord]:
        found: list[StepRecord] = []
        while len(found) < self._given.steps:
            request = api.ListSteps(id=self._given.id, after=len(found), limit=_STEPS_AT_ONCE)
            found += await self._call(request)
            self._witness.coverage.hit("step.given_back")
        return found

    async def _send(self, step: StepReport | Alone) -> Any:
        # One after the other, so that none overtakes the one before it.
        async with self._sending:
            if isinstance(step, AskApproval):
                return await self._ask(step)
            if not isinstance(step, StepReport):
                return await self._submit(step)
            [counted] = await self._call(api.RecordSteps(session=self._session, steps=(step,)))
        if not counted:
            raise LostLease("it was given up")
        return None

    async def _ask(self, asks: AskApproval) -> str:
        try:
            asked: str = await self._call(msgspec.structs.replace(asks, session=self._session))
        except LimitReached as error:
            raise NotSpawned(str(error)) from error
        except InvalidInput as error:
            raise NotRecorded(str(error)) from error
        if self._choices.chance("worker.decides", 400):
            await self._decide(asked)
        if self._choices.chance("worker.asks_otherwise", 200):
            # What was asked for under this name is not passed for something else.
            other = msgspec.structs.replace(asks, session=self._session, subject="something else")
            with suppress(Conflict, LostLease):
                await self._call(other)
                self._witness.story.blame(f"{asked} was taken for another request")
        if self._choices.chance("worker.asks_stale", 200):
            # Under a fence that is not the lease's: nobody is asked.
            stale = msgspec.structs.replace(
                asks, session=self._session, fence=asks.fence - 1, occurrence=asks.occurrence + 1
            )
            with suppress(LostLease):
                self._witness.story.blame(
                    f"{await self._call(stale)} was asked for under fence {stale.fence}"
                )
        return asked

    async def _decide(self, asked: str) -> None:
        """A worker decides for itself, over its own connection: it must not count."""
        record = await self._call(GetApproval(id=asked))
        with suppress(Conflict, NotAllowed):
            await self._call(DecideApproval(id=asked, verdict="approve", digest=record.digest))
            self._witness.story.blame(f"a worker has approved {asked}")

    async def _submit(self, asked: api.SpawnJobs | api.ProposeJobs) -> Any:
        try:
            answer = await self._call(msgspec.structs.replace(asked, session=self._session))
        except LimitReached as error:
            raise NotSpawned(str(error)) from error
        if self._choices.chance("worker.spawns_again", 100):
            again = await self._call(msgspec.structs.replace(asked, session=self._session))
            if again != answer:
                self._witness.story.blame(f"jobs were made as {answer} and, asked again, as {again}")
        if isinstance(answer, ProposalAnswer) and answer.stalled:
            await self._propose_on(asked)
        if self._choices.chance("worker.spawns_stale", 100):
            # Under a fence that is not the lease's: nothing may come of it.
            stale = msgspec.structs.replace(
                asked, session=self._session, fence=asked.fence - 1, step=asked.step + 1
            )
            with suppress(LostLease):
                await self._call(stale)
        return answer

    async def _propose_on(self, asked: api.SpawnJobs | api.ProposeJobs) -> None:
        """A worker that does not heed that the job has stalled: nothing comes of it."""
        on = msgspec.structs.replace(
            asked, session=self._session, step=asked.step + 1, occurrence=asked.occurrence + 1
        )
        if self._choices.chance("worker.proposes_on", 700):
            with suppress(LostLease):
                answer = await self._call(on)
                if not answer.stalled or any(isinstance(one, str) for one in answer.verdicts):
                    self._witness.story.blame(f"job {asked.number} has stalled, and is answered {answer}")

    async def _call(self, request: api.Request) -> Any:
        """Ask until somebody answers: an answer may be lost on its way."""
        while True:
            try:
                return await self._connection.call(request, _ANSWER_SECONDS)
            except SheratanError as error:
                if error.code not in ("timed_out", "unavailable", "state_refuses"):
                    raise
                if error.field == "intake":
                    raise NotSpawned(str(error)) from error
                await asyncio.sleep(_AGAIN_SECONDS)


def _raise_first(outcomes: Sequence[BaseException | None]) -> None:
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
