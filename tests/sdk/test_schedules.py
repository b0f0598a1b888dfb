"""Schedules from within a program, and over the socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan import Client, WorkflowBuilder
from sheratan.contracts import api
from sheratan.contracts.errors import Conflict, InvalidInput
from tests.sdk import sample_kinds as kinds
from tests.sdk.test_embedded import embedded

FAR_US = 7_000_000_000_000_000


def test_a_program_creates_a_schedule_and_hears_of_its_jobs(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        outcome = await client.create_schedule(
            "beat", kinds.echo, {"n": 1}, every_seconds=1, overlap="skip", job_options={"queue": "beat"}
        )
        assert outcome == "created"
        async for seen in client.watch("schedule:beat"):
            if seen.type == "schedule.fired":
                break
        record = await client.schedule("beat")
        assert record.last_job is not None
        job = await client.wait(record.last_job, timeout_seconds=30)
        assert (job.state, job.output, job.queue) == ("succeeded", {"n": 1}, "beat")
        assert "Firing" in (await client.why(job.id)).lines[0].text
        await client.delete_schedule("beat", "enough")
        assert (await client.status()).schedules == 0

    embedded(tmp_path, scenario)


def test_a_program_handles_schedules_by_name(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert await client.create_schedule("s", "echo", cron="@yearly") == "created"
        assert await client.create_schedule("s", "echo", cron="@yearly") == "unchanged"
        with pytest.raises(Conflict):
            await client.create_schedule("s", "echo", cron="@daily")
        assert await client.create_schedule("s", "echo", cron="@daily", replace=True) == "changed"
        assert await client.pause_schedule("s", "a rest")
        assert [one.state for one in (await client.schedules()).items] == ["paused"]
        assert await client.resume_schedule("s")
        assert [one.id for one in await client.next_firings("s", 1, after_us=0)] == ["1970-01-02T00:00:00"]
        planned = await client.backfill_schedule("s", 0, 86_400_000_000, dry_run=True)
        assert [one.job for one in planned] == [None, None]
        done = await client.backfill_schedule("s", 0, 86_400_000_000)
        assert await client.backfill_schedule("s", 0, 86_400_000_000) == done
        made = await client.trigger_schedule("s", "mine", "a look")
        again = await client.trigger_schedule("s", "mine", "a look")
        assert (made.existing, again.existing, again.job, made.firing) == (
            False,
            True,
            made.job,
            "trigger:mine",
        )
        assert (await client.trigger_schedule("s")).job != made.job
        with pytest.raises(InvalidInput) as refused:
            await client.trigger_schedule("s", "")
        assert refused.value.field == "key"

    embedded(tmp_path, scenario)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"cron": 5}, "cron"),
        ({"cron": "@daily", "overlap": "perhaps"}, "overlap"),
        ({"cron": "@daily", "often": True}, None),
        ({"cron": "@daily", "at_us": FAR_US}, "at_us"),
        ({"cron": "@daily", "job_options": {"priority": 10}}, "priority"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, options: dict[str, object], field: str | None
) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidInput) as refused:
            await client.create_schedule("s", "echo", **options)  # type: ignore[arg-type]
        assert refused.value.field == field

    embedded(tmp_path, scenario)


def test_a_program_schedules_a_workflow_and_hears_of_its_runs(tmp_path: Path) -> None:
    builder = WorkflowBuilder("flow")
    flow = builder.build(output=builder.job("first", kinds.echo, builder.input).output)

    async def scenario(client: Client) -> None:
        outcome = await client.create_schedule("beat", flow, {"n": 1}, every_seconds=1, overlap="skip")
        assert outcome == "created"
        async for seen in client.watch("schedule:beat"):
            if seen.type == "schedule.fired":
                break
        record = await client.schedule("beat")
        assert record.last_run is not None
        run = await client.transport.call(api.WaitForRun(id=record.last_run, timeout_seconds=30))
        assert (run.state, run.output) == ("succeeded", {"n": 1})
        with pytest.raises(InvalidInput, match="job_options"):
            await client.create_schedule("other", flow, every_seconds=1, job_options={"queue": "q"})

    embedded(tmp_path, scenario)
