"""What a running handler knows and may do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Unpack

import msgspec

from sheratan.contracts import api
from sheratan.contracts.budgets import DEFAULT_BUDGET, ProposalBudget
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.gates import Gate, SubmitGated
from sheratan.contracts.jobs import Submission
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.proposals import Proposal, Rejection
from sheratan.contracts.tracing import attempt_span, trace_of
from sheratan.contracts.worker import SPAWN_PREFIX, Assignment, What
from sheratan.guards.guards import GuardedCall, Guards
from sheratan.sdk.approval import Approval
from sheratan.sdk.children import Child, Offered
from sheratan.sdk.ending import Ending
from sheratan.sdk.errors import ChildFailed, Fatal, Overcharged
from sheratan.sdk.guarding import IsFault, guarded_call
from sheratan.sdk.options import ApprovalOptions, SubmissionOptions, read_options
from sheratan.sdk.proposals import ProposalOutcome, Rejected
from sheratan.sdk.step_retry import StepRetry, run_with_tries
from sheratan.sdk.steps import Steps

__all__ = ["Context", "Ended"]

_RESULTS_AT_ONCE = 500
_JOBS_AT_ONCE = 1_000


class Ended(NamedTuple):
    """How a job ended that this one ran after: its id, kind, state and, if it succeeded, its output."""

    id: str
    kind: str
    state: str
    output: Any


class Context:
    """One attempt at a job. Durations in seconds, instants in microseconds since the epoch."""

    __slots__ = ("_assignment", "_budget", "_call", "_ending", "_guards", "_steps", "charged")

    def __init__(
        self,
        assignment: Assignment,
        call: Callable[[api.Request], Awaitable[Any]],
        ending: Ending,
        steps: Steps | None = None,
        budget: ProposalBudget = DEFAULT_BUDGET,
        guards: Guards | None = None,
    ) -> None:
        self._assignment = assignment
        self._call = call
        self._ending = ending
        self._steps = steps
        self._budget = budget
        self._guards = guards
        self.charged: int | None = None
        """What this attempt has said that it has cost, in minor units; None when it has said nothing."""

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self._assignment.id

    @property
    def attempt(self) -> int:
        """Which attempt this is; 1 is the first."""
        return self._assignment.attempt

    @property
    def attempts_max(self) -> int:
        """After how many failures the job fails for good."""
        return self._assignment.attempts_max

    @property
    def worker_losses(self) -> int:
        """How many attempts before this one were lost with their worker; they do not count as failures."""
        return self._assignment.worker_losses

    @property
    def queue(self) -> str:
        """The queue the job came from."""
        return self._assignment.queue

    @property
    def fence(self) -> int:
        """The fencing token of this attempt: pass it to systems that can refuse an older one."""
        return self._assignment.fence

    @property
    def traceparent(self) -> str:
        """The W3C traceparent of this attempt: give it to what it calls, which then is seen in the job's trace."""
        given = self._assignment
        return trace_of(given.id, given.traceparent).parent_of(attempt_span(given.id, given.attempt))

    @property
    def created_us(self) -> int:
        """When the job was submitted."""
        return self._assignment.created_us

    @property
    def cancelled(self) -> bool:
        """Whether this attempt is to stop. A handler in a thread looks now and then; an async one is cancelled."""
        return self._ending.is_stopped()

    @property
    def seconds_left(self) -> float:
        """How long until the run timeout or the deadline of the job ends this attempt; 0.0 once it is over, never less.

        Give it to what the handler calls: `await http.get(url, timeout=ctx.seconds_left)`. It is measured by the
        worker's monotonic clock from when the attempt came to it. The engine has begun to count a little earlier, by as
        long as the way to the worker took. Each time that a job is given to a worker, its time begins anew.
        """
        return self._ending.time.left_us / 1_000_000

    @property
    def deadline_us(self) -> int:
        """The same as an instant of the worker's wall clock as it stands now."""
        return self._ending.time.deadline_us

    @property
    def charge_max(self) -> int | None:
        """The most that this attempt may cost, in minor units: so much is reserved. None where it costs nothing."""
        return self._assignment.charge_max

    def charge(self, amount: int) -> None:
        """This attempt has cost so many minor units more. It counts where the price of its kind is metered.

        In a handler with steps call it within the step that costs something: what stands between steps is done again
        by each attempt, and a step only once. ValueError for an amount that is none, Overcharged for what is above
        `charge_max` with all before it, which fails the job for good; so ask first, when it is not known beforehand
        what something costs.
        """
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            raise ValueError(f"{amount!r} is no amount of minor units: an integer from 0 on")
        if self._call is _no_engine:
            raise Unavailable(
                "a handler in a process of its own cannot say what it costs; use an async handler"
            )
        # What is spent is spent, whether it was foreseen or not, and a report can say so.
        self.charged = charged = min((self.charged or 0) + amount, AMOUNT_MAX)
        most = self.charge_max
        if most is not None and charged > most:
            raise Overcharged(
                f"{charged} minor units; {most} are reserved for this attempt:"
                " set a higher price for its kind, or look at ctx.charge_max before"
            )

    def guard(self, dependency: str, *, is_fault: IsFault | None = None) -> GuardedCall:
        """A call of something outside, by its name: `async with ctx.guard("stripe"):`, or `with` in a plain function.

        All attempts of a worker share the guard of a dependency, as `[dependencies.NAME.guard]` sets it. It lets only
        so many calls be under way, ends them with TimedOut when they take too long (a thread it cannot interrupt:
        pass `call.timeout_seconds` on), and lets none through while the dependency fails. No call takes longer than
        this attempt has left, and none begins when that is nothing.

        What the block raises says how the call has ended. Errors of the network, HTTP statuses from 500 on and
        Retryable are the dependency's fault; other statuses, RateLimited and Fatal are answers, and whatever else is
        raised says nothing. `is_fault` decides otherwise, by the exception.

        Raises DependencyUnavailable when the call must not begin. Let it through: the engine tries again when the
        guard says so. A retry within the handler would make things worse.
        """
        return guarded_call(self._guards, self._assignment, dependency, is_fault, self._ending.time.due_us)

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes to a process of its own: what the handler may know, without the way to the engine."""
        known = msgspec.structs.replace(self._assignment, input=msgspec.Raw(b"null"))
        return _detached, (msgspec.json.encode(known), self._ending._replace(is_stopped=_never))

    async def step(
        self, name: str, function: Callable[..., Any], *arguments: Any, retry: bool | StepRetry = True
    ) -> Any:
        """Run a function once and remember what it gave: a later attempt at this job gets that and does not run it.

        It is remembered by its name and how often that name was used before, so a loop may use the same name. The
        output is JSON, checked and made anew by the type that the function says it returns; a plain function runs in
        a thread. It is durable when this returns. A crash between its end and then runs it again: effects elsewhere
        want an idempotency key, as `f"{ctx.job_id}/{name}"`.

        When the function raises, the attempt fails as if the handler had raised it, and the next attempt runs the step
        again; the handler is cancelled once the steps beside this one have ended. A failure that is for good is
        recorded, and raised here as StepFailed, now and in every later attempt: one that is Fatal, one in the last
        attempt that the job has, and any with `retry=False`. With a `StepRetry` the step has tries of its own, which
        use up no attempts: each that fails is recorded, and the job gives its slot back until the next.

        Raises LostLease when this attempt has been given up. When earlier attempts have recorded other steps than those
        that this handler asks for, its code has changed: it is cancelled, and its job blocked. Only async handlers
        have steps.
        """
        if self._steps is None:
            raise Fatal("only an async handler has steps; a plain function that blocks can be a step of one")
        if isinstance(retry, StepRetry):
            return await run_with_tries(self._steps, self.job_id, (name, function, arguments), retry)
        return await self._steps.run(name, function, arguments, "ends attempt" if retry else "final")

    async def patched(self, name: str) -> bool:
        """Whether to go the new way at a point where the handler's code was changed on purpose.

        False for a job that was past this point when it was asked first: it goes the old way to its end. Each job
        decides once by this name, and the decision is recorded as one of its steps; asking no more is no change.
        """
        if self._steps is None:
            raise Fatal("only an async handler has steps, so no other needs to be patched")
        return await self._steps.patched(name)

    async def sleep(self, seconds: float) -> None:
        """Wait for so long. The job gives its slot back, and no restart makes it wait anew."""
        await self._wait("sleep", "wait:sleep", seconds=seconds)

    async def sleep_until(self, instant_us: int) -> None:
        """Wait for an instant, in microseconds since the epoch; the job gives its slot back."""
        await self._wait("sleep", "wait:sleep", until_us=instant_us)

    async def wait_signal(self, name: str, *, timeout_seconds: float | None = None) -> Any:
        """The value of the next signal of this name (`client.signal`), sent before or after; the slot is given back.

        Raises WaitTimedOut when none has come in time, now and in every later attempt.
        """
        return await self._wait("signal", f"wait:signal:{name}", key=name, seconds=timeout_seconds)

    async def approve(
        self, question: str, *, subject: Any = None, **options: Unpack[ApprovalOptions]
    ) -> Approval:
        """Ask people for an approval, and wait until they have decided; the slot is given back meanwhile.

        `subject` is any JSON value: what exactly is to be approved. Its SHA-256 and that of the question stand in the
        journal, and every vote names the digest of both. `approvers` are names of principals (`local:anna`); without
        any, anyone may decide. So many `approvals` are needed, each of another person, and one denial denies. Whoever
        asked for the job may not decide, unless with `self_approval`. It stays open for `timeout_seconds`, or until the
        instant `deadline_us`. It is remembered by its name and how often that name was used before, as a step is.

        Raises ApprovalDenied and ApprovalExpired, now and in every later attempt; ApprovalChanged when an earlier
        attempt has asked for something else under this name; Fatal when it can't be asked.
        """
        if self._steps is None:
            raise Fatal("only an async handler can wait for an approval; a plain function cannot")
        given: dict[str, Any] = {"question": question, "subject": subject, **options}
        name = given.pop("name", None)
        given["seconds"] = given.pop("timeout_seconds", None)
        given["until_us"] = given.pop("deadline_us", None)
        given["approvers"] = tuple(given.get("approvers", ()))
        wanted = "wait:approval" if name is None else f"wait:approval:{name}"
        return msgspec.convert(await self._steps.approve(wanted, given), Approval)

    async def spawn(
        self, kind: Offered | str, value: Any = None, **options: Unpack[SubmissionOptions]
    ) -> Child:
        """Submit a job as a step of this one: once, however often this handler is run. Wait for it with `gather`.

        Raises StepFailed when the job is refused for good (its kind or its input, the limits.fan_out_jobs_max).
        """
        if isinstance(kind, str):
            submission = Submission(kind=kind, input=value, options=read_options(options))
            [job_id] = await self._spawn(kind, [submission])
            return Child(self, job_id, None)
        [job_id] = await self._spawn(kind.name, [kind.submission(value, **options)])
        return Child(self, job_id, kind)

    async def spawn_many(self, jobs: Sequence[Submission]) -> list[Child]:
        """Submit jobs (`kind.submission(…)`) as a step of this one, as `spawn`: a thousand in one commit."""
        ids: list[str] = []
        for start in range(0, len(jobs), _JOBS_AT_ONCE):
            ids += await self._spawn("many", jobs[start : start + _JOBS_AT_ONCE])
        return [Child(self, job_id, None) for job_id in ids]

    async def propose(self, proposals: Sequence[Proposal]) -> ProposalOutcome:
        """Propose jobs, as a model does that plans, as a step of this one: each is made or rejected, with a reason.

        Those that are made are children of this job (wait for them with `gather`); what has not ended when it ends is
        cancelled. They are made within the budget of the kind (`@job(proposals=…)`), or of the job above that has
        proposed first, and in a run of a workflow within the budget of that, too. A rejection never raises: tell it
        to whoever has proposed. When nothing was accepted in several calls in a row, the job has stalled, and fails.

        Raises StepFailed for what is no proposal: none at all, too many, one with a key.
        """
        if self._steps is None:
            raise Fatal("only an async handler can propose jobs; a plain function submits them with a key")
        answer = await self._steps.propose(proposals, self._budget)
        return ProposalOutcome(
            tuple(
                Rejected(proposal, one.code, one.because)
                if isinstance(one, Rejection)
                else Child(self, one, None)
                for proposal, one in zip(proposals, answer.verdicts, strict=True)
            )
        )

    async def gather(
        self,
        *children: Child | str,
        timeout_seconds: float | None = None,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """The outputs of jobs once all of them have ended, in the order given; the slot is given back meanwhile.

        Raises ChildFailed for the first that has not succeeded; with `return_exceptions` it stands in its place.
        Raises WaitTimedOut when they have not ended in time. A text is the id of any job.
        """
        jobs = [Child(self, one, None) if isinstance(one, str) else one for one in children]
        ids = tuple(dict.fromkeys(child.id for child in jobs))
        if not ids:
            return []
        await self._wait("jobs", "wait:jobs", jobs=ids, seconds=timeout_seconds)
        results = await self._results(ids)
        outputs = [_output(child, results[child.id]) for child in jobs]
        if not return_exceptions:
            for output in outputs:
                if isinstance(output, ChildFailed):
                    raise output
        return outputs

    async def _results(self, ids: tuple[str, ...]) -> dict[str, api.JobResult]:
        found: dict[str, api.JobResult] = {}
        while len(found) < len(ids):
            page = ids[len(found) : len(found) + _RESULTS_AT_ONCE]
            found |= {result.id: result for result in await self._call(api.GetResults(ids=page))}
        return found

    async def _spawn(self, name: str, jobs: Sequence[Submission]) -> list[str]:
        if self._steps is None:
            raise Fatal("only an async handler can spawn jobs; a plain function submits them with a key")
        return await self._steps.spawn(f"{SPAWN_PREFIX}{name}", jobs)

    async def _wait(self, what: What, name: str, **given: Any) -> Any:
        if self._steps is None:
            raise Fatal("only an async handler can give its slot back; a plain function sleeps in its thread")
        return await self._steps.wait(what, name, given)

    async def submit_gated(self, job: Submission, gate: Gate) -> str:
        """Submit a job through a gate on behalf of this one, and return its id or that of the job that is there."""
        request = SubmitGated(
            job=job, gate=gate, by_job=self._assignment.number, fence=self._assignment.fence
        )
        receipt: api.Receipt = await self._call(request)
        return receipt.id

    async def submit(self, jobs: Sequence[Submission]) -> list[str]:
        """Submit jobs on behalf of this one, all or none, and return their ids.

        An attempt may run more than once, so give each job a `key`: then it is submitted once however often.
        Refused with LostLease when this attempt has been given up.
        """
        request = api.SubmitJobs(
            jobs=tuple(jobs), by_job=self._assignment.number, fence=self._assignment.fence
        )
        return [receipt.id for receipt in await self._call(request)]

    async def after_results(self, job_id: str | None = None) -> AsyncIterator[Ended]:
        """How the jobs ended that this one, or the one with `job_id`, was named to run after, in that order."""
        start = 0
        while True:
            request = api.AfterResults(id=job_id or self.job_id, start=start, limit=_RESULTS_AT_ONCE)
            found = await self._call(request)
            for item in found:
                yield Ended(item.id, item.kind, item.state, msgspec.json.decode(item.output))
            if len(found) < _RESULTS_AT_ONCE:
                return
            start += len(found)


def _output(child: Child, result: api.JobResult) -> Any:
    if result.state != "succeeded":
        return ChildFailed(child.id, result.state, result.error)
    return child.read_output(msgspec.json.decode(result.output))


def _detached(data: bytes, ending: Ending) -> Context:
    return Context(msgspec.json.decode(data, type=Assignment), _no_engine, ending)


def _never() -> bool:
    """A process of its own is not asked to stop: it is killed."""
    return False


async def _no_engine(request: api.Request) -> Any:
    raise Unavailable(
        "a handler in a process of its own has no way to the engine; use an async handler for that"
    )
