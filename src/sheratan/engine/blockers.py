"""Why a queued job does not start although a worker may be free: pauses and limits, from recorded facts alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sheratan.contracts import flow
from sheratan.contracts.flow import NO_LIMITS, BlockedBy, FlowLimits, FlowRecord
from sheratan.engine.entries import read_entry
from sheratan.engine.flow_state import FlowKey, rate_of, subjects_of
from sheratan.kernel.rate import UNPACED, Pace, Rate, earliest_us
from sheratan.kernel.words import count, seconds
from sheratan.store.port import Reader
from sheratan.store.rows import FlowRow, JobRow, Lane, Lease

__all__ = ["Blockers", "flow_records", "limits_of"]


class Blockers:
    """What is set for queues and kinds, and how much of it is used, each read when it is first asked for."""

    def __init__(self, reader: Reader, offered: frozenset[str] | None = None) -> None:
        """`offered` are the versions of kinds that workers on duty offer; None when no engine is at work."""
        self._reader = reader
        self._offered = offered
        self.rows: dict[FlowKey, FlowRow] = {(row.tenant, row.subject): row for row in reader.flows()}

    @cached_property
    def running(self) -> dict[FlowKey, list[Lease]]:
        """The leases of each queue and kind of which jobs run."""
        leases = {lease.number: lease for lease in self._reader.leases()}
        lanes = {lane.lane: lane for lane in self._reader.lanes()}
        found: dict[FlowKey, list[Lease]] = {}
        for job in self._reader.jobs(sorted(leases)):
            for key in subjects_of(lanes[job.lane]):
                found.setdefault(key, []).append(leases[job.number])
        return found

    @cached_property
    def _paces(self) -> dict[FlowKey, Pace]:
        return {(row.tenant, row.subject): Pace(*row[2:]) for row in self._reader.paces()}

    @cached_property
    def _now_us(self) -> int:
        return self._reader.shard().head.at

    def of(self, job: JobRow, lane: Lane, since_us: int) -> list[BlockedBy]:
        """What keeps a job from being started that is queued since an instant."""
        found: list[BlockedBy] = []
        if self._offered is not None and lane.offered_as not in self._offered:
            text = f"a worker that offers version {lane.version} of {lane.kind}, and none does"
            subject = f"kind:{lane.kind}"
            found.append(
                BlockedBy(what="worker", subject=subject, since_us=since_us, until_us=None, text=text)
            )
        for key in subjects_of(lane) if self.rows else ():
            row = self.rows.get(key)
            if row is not None:
                found += self._of_row(row, job)
        return found

    def _of_row(self, row: FlowRow, job: JobRow) -> Iterator[BlockedBy]:
        if row.paused:
            reason = f" ({row.reason})" if row.reason else ""
            yield BlockedBy(
                what="pause",
                subject=row.subject,
                since_us=read_entry(self._reader, row.paused).at,
                until_us=None,
                text=f"{row.subject} to be resumed{reason}",
            )
        if row.concurrency:
            yield from self._of_concurrency(row)
        rate = rate_of(row)
        if rate is not None:
            yield from self._of_rate(row, rate, job.cost)

    def _of_concurrency(self, row: FlowRow) -> Iterator[BlockedBy]:
        running = self.running.get((row.tenant, row.subject), [])
        if len(running) < row.concurrency:
            return
        # The last start has taken the last place, unless the limit came down later.
        set_us = read_entry(self._reader, row.entry).at if len(running) > row.concurrency else 0
        yield BlockedBy(
            what="concurrency",
            subject=row.subject,
            since_us=max(set_us, *(lease.leased_us for lease in running)),
            until_us=None,
            text=f"{row.subject}, which runs {len(running)} of {count(row.concurrency, 'job')}",
        )

    def _of_rate(self, row: FlowRow, rate: Rate, cost: int) -> Iterator[BlockedBy]:
        pace = self._paces.get((row.tenant, row.subject), UNPACED)
        until_us = earliest_us(rate, pace, cost)
        if until_us > self._now_us:
            yield BlockedBy(
                what="rate",
                subject=row.subject,
                since_us=pace.started_us,
                until_us=until_us,
                text=f"the rate of {row.subject}, {rate.count} in {seconds(rate.period_us)}",
            )


def limits_of(row: FlowRow | None) -> FlowLimits:
    """What limits and weights a queue or a kind."""
    if row is None:
        return NO_LIMITS
    rate = rate_of(row)
    return FlowLimits(
        concurrency=row.concurrency or None,
        rate=flow.Rate(count=rate.count, period_seconds=rate.period_us / 1_000_000, burst=rate.burst)
        if rate
        else None,
        weight=row.weight,
    )


def flow_records(reader: Reader, tenant: str) -> list[FlowRecord]:
    """Every queue and kind that has been used, paused or limited."""
    blockers, lanes = Blockers(reader), {lane.lane: lane for lane in reader.lanes()}
    queued: dict[FlowKey, int] = {}
    for number, jobs in reader.ready_counts():
        for key in subjects_of(lanes[number]):
            queued[key] = queued.get(key, 0) + jobs
    keys = {key for lane in lanes.values() for key in subjects_of(lane)} | blockers.rows.keys()
    return [_record(blockers, key, queued.get(key, 0)) for key in sorted(keys) if key[0] == tenant]


def _record(blockers: Blockers, key: FlowKey, queued: int) -> FlowRecord:
    row = blockers.rows.get(key)
    return FlowRecord(
        subject=key[1],
        paused=bool(row and row.paused),
        limits=limits_of(row),
        running=len(blockers.running.get(key, ())),
        queued=queued,
        paused_reason=row.reason if row and row.paused else None,
    )
