"""Handlers that propose jobs, as a model says that plans."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import Context, Fatal, Kind, Proposal, ProposalBudget, Retryable, StepFailed, job
from sheratan.contracts.jobs import JobRecord, Options
from sheratan.contracts.limits import Limits
from tests.sdk.journal import check_journal

SECONDS_MAX = 60


@job
async def double(value: int) -> int:
    return 2 * value


def run(
    folder: Path, *kinds: Kind[Any, Any], limits: Limits | None = None
) -> tuple[JobRecord, list[JobRecord]]:
    """Run a job of the first kind to its end; returns it and the others, oldest first."""

    async def main() -> tuple[JobRecord, list[JobRecord]]:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder / "data", [*kinds, double], slots=1, limits=limits) as client,
        ):
            first = await client.wait((await client.submit(kinds[0])).id)
            ids = [one.id for one in (await client.jobs()).items if one.id != first.id]
            return first, [await client.job(one) for one in reversed(ids)]

    found = asyncio.run(main())
    check_journal(folder / "data")
    return found


def test_what_is_accepted_is_gathered_and_what_is_rejected_has_a_reason(tmp_path: Path) -> None:
    @job
    async def planner(ctx: Context) -> Any:
        proposals = [
            Proposal(kind="double", input=1),
            Proposal(kind="double", input="many"),
            Proposal(kind="triple", input=1),
            Proposal(kind="double", input=1),
            Proposal(kind="double", input=2, options=Options(priority=1)),
        ]
        outcome = await ctx.propose(proposals)
        assert [one.proposal for one in outcome.rejected] == proposals[1:4]
        reasons = [(one.code, one.because) for one in outcome.rejected]
        return await ctx.gather(*outcome.accepted), reasons

    record, jobs = run(tmp_path, planner)
    outputs, reasons = record.output
    assert outputs == [2, 4]
    assert [code for code, _ in reasons] == ["invalid_input", "unknown_kind", "repeat"]
    assert "integer" in reasons[0][1]
    assert "loaded: double, planner" in reasons[1][1]
    assert [(one.priority, one.submitted_by_job) for one in jobs] == [(5, record.id), (1, record.id)]


def test_a_later_attempt_gets_the_same_outcome_and_no_job_is_made_twice(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    @job(backoff_base_seconds=0.0)
    async def planner(ctx: Context) -> list[int]:
        outcome = await ctx.propose([Proposal(kind="double", input=1), Proposal(kind="double", input=1)])
        seen.append([*(one.id for one in outcome.accepted), *(one.because for one in outcome.rejected)])
        if ctx.attempt == 1:
            raise Retryable("once more")
        return await ctx.gather(*outcome.accepted)

    record, jobs = run(tmp_path, planner)
    assert record.output == [2]
    assert len(seen) > 2
    assert all(one == seen[0] for one in seen)
    assert len(jobs) == 1


def test_a_planner_that_proposes_the_same_for_ever_fails_whatever_it_makes_of_that(tmp_path: Path) -> None:
    calls: list[int] = []

    @job(proposals=ProposalBudget(stalls_after=2))
    async def planner(ctx: Context) -> None:
        while True:
            try:
                outcome = await ctx.propose([Proposal(kind="double", input=1)])
                calls.append(len(outcome.accepted))
            except Exception:
                # What a careless handler does.
                calls.append(-1)

    record, jobs = run(tmp_path, planner)
    assert (record.state, record.attempt) == ("failed", 1)
    assert record.error is not None
    assert (record.error.error_class, record.error.type) == ("fatal", "Stalled")
    assert calls == [1, 0]
    assert len(jobs) == 1


def test_a_planner_that_is_proposed_by_one_shares_its_budget(tmp_path: Path) -> None:
    @job(proposals=ProposalBudget(jobs_max=3, depth_max=9))
    async def planner(ctx: Context, nth: int | None) -> list[Any]:
        depth = nth or 0
        wanted = [Proposal(kind="planner", input=depth + 1), Proposal(kind="double", input=depth)]
        outcome = await ctx.propose(wanted)
        return [*(one.code for one in outcome.rejected), *await ctx.gather(*outcome.accepted)]

    record, jobs = run(tmp_path, planner)
    assert record.output == [["jobs_budget", ["jobs_budget", "jobs_budget"]], 0]
    assert len(jobs) == 3


def test_what_is_not_gathered_is_cancelled_with_the_end_of_the_handler(tmp_path: Path) -> None:
    @job
    async def planner(ctx: Context) -> str:
        await ctx.propose([Proposal(kind="double", input=1)])
        return "enough"

    record, [left] = run(tmp_path, planner)
    assert (record.output, left.state) == ("enough", "cancelled")


@pytest.mark.parametrize(
    ("proposals", "says"),
    [
        ([], "at least one"),
        ([Proposal(kind="double", input=n) for n in range(3)], "limits.proposals_max"),
        ([Proposal(kind="double", options=Options(key="k"))], "no key"),
    ],
)
def test_what_is_no_proposal_raises(tmp_path: Path, proposals: list[Proposal], says: str) -> None:
    @job
    async def planner(ctx: Context) -> str:
        with pytest.raises(StepFailed, match=says):
            await ctx.propose(proposals)
        outcome = await ctx.propose([Proposal(kind="double", input=1)])
        return outcome.accepted[0].id

    record, [made] = run(tmp_path, planner, limits=Limits(proposals_max=2))
    assert record.output == made.id


def test_a_handler_in_a_thread_proposes_nothing(tmp_path: Path) -> None:
    @job
    def planner(ctx: Context) -> str:
        with pytest.raises(Fatal, match="only an async handler"):
            asyncio.run(ctx.propose([Proposal(kind="double", input=1)]))
        return "no"

    record, jobs = run(tmp_path, planner)
    assert (record.output, jobs) == ("no", [])
