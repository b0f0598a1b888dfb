"""Why a queued job does not start although a worker may be free: states, pauses, limits, from recorded facts alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sheratan.contracts import flow
from sheratan.contracts.flow import NO_LIMITS, BlockedBy, FlowLimits, FlowRecord, PartitionLimits
from sheratan.engine.billing_state import left_of, reservable
from sheratan.engine.entries import read_entry
from sheratan.engine.flow_state import FlowKey, partition_rate_of, rate_of, subjects_of
from sheratan.engine.system_views import blocked_by_state
from sheratan.kernel.accounts import account_subject, format_amount
from sheratan.kernel.billing import OPERATOR, payer_of
from sheratan.kernel.budgets import partition_subject
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.rate import UNPACED, Pace, Rate, earliest_us
from sheratan.kernel.words import count, seconds
from sheratan.store.billing_rows import BudgetRow, PriceRow
from sheratan.store.partition_rows import PartitionKey, lane_of, partition_of
from sheratan.store.port import Reader
from sheratan.store.rows import FlowRow, JobRow, Lane, Lease

__all__ = ["Blockers", "flow_records", "limits_of"]


class Blockers:
    """What is set for queues, kinds and tenants, and how much of it is used, each read when it is first asked for."""

    def __init__(self, reader: Reader, offered: frozenset[str] | None = None) -> None:
        """`offered` are the versions of kinds that workers on duty offer; None when no engine is at work."""
        self._reader = reader
        self._offered = offered
        self.rows: dict[FlowKey, FlowRow] = {(row.tenant, row.subject): row for row in reader.flows()}

    @cached_property
    def running(self) -> dict[FlowKey | PartitionKey, list[Lease]]:
        """The leases of each queue, kind and tenant of which jobs run, and of each partition of these."""
        leases = {lease.number: lease for lease in self._reader.leases()}
        lanes = {lane.lane: lane for lane in self._reader.lanes()}
        found: dict[FlowKey | PartitionKey, list[Lease]] = {}
        for job in self._reader.jobs(sorted(leases)):
            for key in subjects_of(lanes[lane_of(job.lane)]):
                found.setdefault(key, []).append(leases[job.number])
                if partition_of(job.lane):
                    found.setdefault((*key, partition_of(job.lane)), []).append(leases[job.number])
        return found

    @cached_property
    def _state(self) -> BlockedBy | None:
        return blocked_by_state(self._reader)

    @cached_property
    def _paces(self) -> dict[FlowKey, Pace]:
        return {(row.tenant, row.subject): Pace(*row[2:]) for row in self._reader.paces()}

    @cached_property
    def _now_us(self) -> int:
        return self._reader.shard().head.at

    def of(self, job: JobRow, lane: Lane, since_us: int) -> list[BlockedBy]:
        """What keeps a job from being started that is queued since an instant."""
        found: list[BlockedBy] = [] if self._state is None else [self._state]
        if self._offered is not None and lane.offered_as not in self._offered:
            text = f"a worker that offers version {lane.version} of {lane.kind}, and none does"
            subject = f"kind:{lane.kind}"
            found.append(
                BlockedBy(what="worker", subject=subject, since_us=since_us, until_us=None, text=text)
            )
        price = self._prices.get((lane.tenant, lane.kind))
        if price is not None and price.amount is not None:
            found += self._of_funds(price, price.amount, since_us)
            found += self._of_budgets(price, price.amount, (job, lane), since_us)
        for key in subjects_of(lane) if self.rows else ():
            row = self.rows.get(key)
            if row is not None:
                found += self._of_row(row, job)
        return found

    @cached_property
    def _prices(self) -> dict[tuple[str, str], PriceRow]:
        return {(row.tenant, row.kind): row for row in self._reader.prices()}

    def _of_funds(self, price: PriceRow, amount: int, since_us: int) -> Iterator[BlockedBy]:
        """The account that has to pay for an attempt at a job that is queued since an instant."""
        name = payer_of(price.tenant)
        view = self._reader.ledger_account(price.tenant, name, price.unit)
        operator = self._reader.ledger_account(price.tenant, OPERATOR, price.unit)
        assert operator is not None, "it is opened with the price"
        room = reservable(None if view is None else view.balance, operator.balance)
        if room >= amount:
            return
        scale = operator.account.scale
        needs, has = (f"{format_amount(one, scale)} {price.unit}" for one in (amount, room))
        newest = price.entry if view is None else max(view.balance.entry, price.entry)
        line = self._reader.entry_line(newest)
        # What is archived was written before the job came, whose own entries are kept.
        changed_us = 0 if line is None else decode_entry(line).at
        yield BlockedBy(
            what="funds",
            subject=account_subject(name, price.unit),
            since_us=max(since_us, changed_us),
            until_us=None,
            text=f"{name} to have {needs} for an attempt; it has {has} to give",
            entry=newest,
        )

    @cached_property
    def _budgets(self) -> dict[tuple[str, str, str], BudgetRow]:
        return {row[:3]: row for row in self._reader.budgets() if row.amount is not None}

    def _of_budgets(
        self, price: PriceRow, amount: int, of_job: tuple[JobRow, Lane], since_us: int
    ) -> Iterator[BlockedBy]:
        """The budgets of which too little is left for an attempt."""
        for subject in _may_spend(self._reader, *of_job) if self._budgets else ():
            row = self._budgets.get((price.tenant, subject, price.unit))
            if row is None or left_of(row, self._now_us) >= amount:
                continue
            operator = self._reader.ledger_account(price.tenant, OPERATOR, price.unit)
            assert operator is not None, "it is opened with the price"
            told = [row.amount or 0, row.charged, row.reserved, amount]
            of, charged, reserved, needs = (format_amount(one, operator.account.scale) for one in told)
            per = f" per {row.per}" if row.per else ""
            yield BlockedBy(
                what="budget",
                subject=row.subject,
                since_us=since_us,
                until_us=row.ends_us,
                text=f"the budget of {row.subject}, {of} {row.unit}{per}, to have {needs} for an attempt;"
                f" {charged} are spent and {reserved} reserved",
                entry=row.entry,
            )

    def _of_row(self, row: FlowRow, job: JobRow) -> Iterator[BlockedBy]:
        if row.paused:
            reason = f" ({row.reason})" if row.reason else ""
            yield BlockedBy(
                what="pause",
                subject=row.subject,
                since_us=read_entry(self._reader, row.paused).at,
                until_us=None,
                text=f"{row.subject} to be resumed{reason}",
                entry=row.paused,
            )
        key, rate = (row.tenant, row.subject), rate_of(row)
        yield from self._of_concurrency(row, key, row.concurrency)
        if rate is not None:
            yield from self._of_rate(row, (rate, self._paces.get(key, UNPACED)), job.cost)
        partition = partition_of(job.lane)
        if partition:
            yield from self._of_partition(row, job, partition)

    def _of_partition(self, row: FlowRow, job: JobRow, partition: int) -> Iterator[BlockedBy]:
        """What holds for each partition by itself."""
        key, rate = (row.tenant, row.subject, partition), partition_rate_of(row)
        yield from self._of_concurrency(row, key, row.partition_concurrency)
        if rate is not None:
            stored = self._reader.partition_pace(key)
            pace = Pace(*stored[3:]) if stored is not None else UNPACED
            yield from self._of_rate(row, (rate, pace), job.cost, partition)

    def _of_concurrency(self, row: FlowRow, key: FlowKey | PartitionKey, most: int) -> Iterator[BlockedBy]:
        running = self.running.get(key, []) if most else []
        if not most or len(running) < most:
            return
        # The last start has taken the last place, unless the limit came down later.
        set_us = read_entry(self._reader, row.entry).at if len(running) > most else 0
        name, whose = self._named(row, key[2] if len(key) == 3 else 0)
        yield BlockedBy(
            what="concurrency",
            subject=row.subject,
            since_us=max(set_us, *(lease.leased_us for lease in running)),
            until_us=None,
            text=f"{whose}, which runs {len(running)} of {count(most, 'job')}",
            partition=name,
            entry=row.entry,
        )

    def _of_rate(
        self, row: FlowRow, used: tuple[Rate, Pace], cost: int, partition: int = 0
    ) -> Iterator[BlockedBy]:
        rate, pace = used
        until_us = earliest_us(rate, pace, cost)
        if until_us > self._now_us:
            name, whose = self._named(row, partition)
            yield BlockedBy(
                what="rate",
                subject=row.subject,
                since_us=pace.started_us,
                until_us=until_us,
                text=f"the rate of {whose}, {rate.count} in {seconds(rate.period_us)}",
                partition=name,
                entry=row.entry,
            )

    def _named(self, row: FlowRow, partition: int) -> tuple[str | None, str]:
        """The name of a partition, and whose limit it is."""
        if not partition:
            return None, row.subject
        name = self._reader.partitions([partition])[partition]
        return name, f"partition {name} of {row.subject}"


def _may_spend(reader: Reader, job: JobRow, lane: Lane) -> Iterator[str]:
    """Whatever may have a budget that attempts at a job use."""
    yield from (subject for _, subject in subjects_of(lane))
    partition = partition_of(job.lane)
    if partition:
        yield partition_subject(reader.partitions([partition])[partition])


def limits_of(row: FlowRow | None) -> FlowLimits:
    """What limits and weights a queue, kind or tenant."""
    if row is None:
        return NO_LIMITS
    each = partition_rate_of(row)
    return FlowLimits(
        concurrency=row.concurrency or None,
        rate=_told(rate_of(row)),
        weight=row.weight,
        ageing_seconds=row.ageing_us / 1_000_000 or None,
        per_partition=PartitionLimits(concurrency=row.partition_concurrency or None, rate=_told(each))
        if row.partition_concurrency or each
        else None,
    )


def _told(rate: Rate | None) -> flow.Rate | None:
    if rate is None:
        return None
    return flow.Rate(count=rate.count, period_seconds=rate.period_us / 1_000_000, burst=rate.burst)


def flow_records(reader: Reader, tenant: str) -> list[FlowRecord]:
    """Every queue, kind and tenant that has been used, paused or limited."""
    blockers, lanes = Blockers(reader), {lane.lane: lane for lane in reader.lanes()}
    queued: dict[FlowKey, int] = {}
    for number, jobs in reader.ready_counts():
        for key in subjects_of(lanes[lane_of(number)]):
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
