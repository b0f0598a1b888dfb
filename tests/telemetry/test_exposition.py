"""The text of the metrics, as Prometheus' own parser reads it."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sheratan import Client, Limits
from sheratan.contracts.metrics import BUCKETS_SECONDS, METRICS
from sheratan.contracts.system import ChangeState
from sheratan.telemetry.exposition import expose
from tests.gateway.served import Connections, served
from tests.sdk import sample_kinds as kinds

Families = dict[str, Metric]


async def scrape(connections: Connections) -> Families:
    """What a scraper learns."""
    text = await (await connections.client()).metrics()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: Families, sample: str, **labels: str) -> float:
    """The one sample with these labels."""
    [found] = [
        one.value
        for family in families.values()
        for one in family.samples
        if one.name == sample and one.labels == labels
    ]
    return found


async def run_some(client: Client) -> None:
    await client.run(kinds.typed, {"name": "nut", "count": 2})
    await client.run(kinds.typed, {"name": "bolt", "count": 1})


def test_every_metric_is_there_with_its_type_and_meaning_and_no_other(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        await run_some(connections.local)
        families = await scrape(connections)
        own = {name: family for name, family in families.items() if not name.startswith("process_")}
        assert sorted(own) == sorted(name.removesuffix("_total") for name in METRICS)
        for name, metric in METRICS.items():
            family = own[name.removesuffix("_total")]
            assert (family.type, family.documentation) == (metric.kind, metric.meaning)
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(metric.labels)
        assert value(families, "process_resident_memory_bytes") > 1_000_000

    served(tmp_path, scenario)


def test_it_says_what_jobs_have_come_to(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        await run_some(connections.local)
        await connections.local.pause("later", "a test")
        await connections.local.submit(kinds.typed, {"name": "nut", "count": 2}, queue="later")
        families = await scrape(connections)
        lane = {"kind": "typed", "queue": "default"}
        assert value(families, "sheratan_jobs_submitted_total", **lane) == 2
        assert value(families, "sheratan_jobs_submitted_total", kind="typed", queue="later") == 1
        assert value(families, "sheratan_jobs_ended_total", state="succeeded", **lane) == 2
        for name in ("sheratan_job_wait_seconds", "sheratan_job_run_seconds"):
            assert value(families, f"{name}_count", **lane) == 2
            assert value(families, f"{name}_bucket", le="+Inf", **lane) == 2
            assert 0 <= value(families, f"{name}_sum", **lane) < 60
            within = [value(families, f"{name}_bucket", le=str(bound), **lane) for bound in BUCKETS_SECONDS]
            assert within == sorted(within)
        assert value(families, "sheratan_queue_jobs", queue="later") == 1
        assert value(families, "sheratan_queue_head_age_seconds", queue="later") > 0
        assert value(families, "sheratan_jobs", state="queued") == 1
        assert value(families, "sheratan_entries_total", type="job.succeeded") == 2
        assert value(families, "sheratan_commit_seconds_count") > 0
        status = await connections.local.status()
        assert value(families, "sheratan_workers") == len(status.workers)
        assert value(families, "sheratan_journal_entries") == status.entries
        assert value(families, "sheratan_database_bytes") >= 4_096

    served(tmp_path, scenario)


def test_it_says_what_jobs_have_cost(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = connections.local
        lane = {"kind": "typed", "queue": "default"}
        for unit in ("EUR", "credits", "tokens"):
            await client.open_account("tenant:default", unit)
            await client.grant("tenant:default", 1_000, unit, name=unit)
            await client.set_price("typed", 50, unit)
            await run_some(client)
        families = await scrape(connections)
        assert value(families, "sheratan_charged_total", unit="EUR", **lane) == 100
        # Ever more units would be ever more lines.
        assert value(families, "sheratan_charged_total", unit="other", kind="other", queue="other") == 200

    served(tmp_path, scenario, limits=Limits(metric_lanes_max=1))


def test_kinds_and_queues_beyond_the_limit_share_one_name(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        for queue in ("default", "second", "third"):
            await connections.local.run(kinds.typed, {"name": "nut", "count": 2}, queue=queue)
        families = await scrape(connections)
        found = {
            (sample.labels["kind"], sample.labels["queue"]): sample.value
            for sample in families["sheratan_jobs_submitted"].samples
        }
        assert found == {("typed", "default"): 1, ("other", "other"): 2}
        assert value(families, "sheratan_job_run_seconds_count", kind="other", queue="other") == 2
        queues = {sample.labels["queue"] for sample in families["sheratan_queue_jobs"].samples}
        assert queues == {"default", "other"}

    served(tmp_path, scenario, limits=Limits(metric_lanes_max=1))


def test_the_state_is_one_of_all_states(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        assert value(await scrape(connections), "sheratan_ready") == 1
        transport = await connections.transport()
        await transport.call(ChangeState(to="halted", reason="a test"))
        families = await scrape(connections)
        states = {one.labels["state"]: one.value for one in families["sheratan_system_state"].samples}
        assert [state for state, is_so in states.items() if is_so] == ["halted"]
        assert value(families, "sheratan_ready") == 0
        await transport.call(ChangeState(to="recovery", reason="a test"))

    served(tmp_path, scenario)


def test_a_label_may_hold_anything() -> None:
    text = expose({"sheratan_queue_jobs": [(('a"b\\c\nd',), 3)]})
    [family] = [one for one in text_string_to_metric_families(text) if one.name == "sheratan_queue_jobs"]
    assert [(one.labels, one.value) for one in family.samples] == [({"queue": 'a"b\\c\nd'}, 3)]
