"""What happens in the databases of the storage cases: a script whose every step depends on its number alone."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import apsw

from crash.storage_asking import wait_for_somebody
from crash.storage_kill import KillAtOperation
from crash.storage_notes import SHORT, Notes
from crash.storage_world import KIND, WORKER, Workshop, workshop
from sheratan.contracts.bulk import BulkAction
from sheratan.contracts.errors import (
    Conflict,
    CorruptData,
    InvalidInput,
    LimitReached,
    NotFound,
)
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
from sheratan.contracts.gates import Debounce, Throttle
from sheratan.contracts.jobs import ErrorClass, JobError, Submission
from sheratan.contracts.ledger import ISSUE, Transfer, transfer_id
from sheratan.contracts.principal import ENGINE
from sheratan.contracts.schedules import Schedule
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Budget, Node, Workflow
from sheratan.engine import commands
from sheratan.engine.alert_commands import Finding, Told
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.prepare_runs import prepare_run
from sheratan.store.sqlite.store import SqliteStore

__all__ = ["fill", "work"]

_REFUSALS = (Conflict, NotFound, InvalidInput, LimitReached)
_SECOND_US = 1_000_000


async def work(shop: Workshop, seed: int, first: int, last: int) -> None:
    """The script, from one step to another. What a step does depends on its number and on the notes alone."""
    await shop.register()
    for number in range(first, last):
        draw = random.Random(f"{seed}/{number}")  # noqa: S311 - a run must repeat, not surprise
        shop.notes.begin(number)
        try:
            await _STEPS[draw.randrange(len(_STEPS))](shop, number, draw)
        except _REFUSALS:
            # A cancellation of a job that has ended, say: a refusal is an answer, too.
            continue
        finally:
            shop.clock.advance(draw.randrange(2 * _SECOND_US))


async def _submit(shop: Workshop, number: int, draw: random.Random) -> None:
    value = {"step": number, "text": "x" * draw.choice((0, 10, 500, 3_000, 9_000))}
    tags = draw.choice(((), ("eu",), ("eu", "us")))
    await shop.submit(
        f"step {number}",
        value,
        priority=draw.randrange(10),
        tags=tags,
        cost=draw.randint(1, 3),
        partition=draw.choice((None, None, "anna")),
    )


async def _submit_for_later(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.submit(f"step {number}", number, delay_seconds=draw.randrange(1, 20))


async def _submit_for_somebody(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.submit(f"step {number}", number, partition=draw.choice(("anna", "ben")))


async def _submit_with_limit(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.submit(f"step {number}", number, queue_timeout_seconds=draw.randrange(1, 40))


async def _submit_after(shop: Workshop, number: int, draw: random.Random) -> None:
    known = shop.notes.submitted
    after = draw.sample(known, min(len(known), 2))
    await shop.submit(f"step {number}", number, after=after, queue=f"queue-{draw.randrange(3)}")


async def _work_off(shop: Workshop, number: int, draw: random.Random) -> None:
    leased = await shop.lease(draw.randrange(1, 5))
    for given in leased:
        if given.steps and draw.random() < 0.3:
            await shop.block(given)
            continue
        if draw.random() < 0.15:
            child = await shop.spawn(given, given.steps + 1, number)
            await shop.park(given, draw.randrange(1, 60), child)
            continue
        if draw.random() < 0.3:
            await shop.step(given, f"step-{number}", "z" * draw.choice((0, 20, 4_000)))
        if draw.random() < 0.15:
            await wait_for_somebody(shop, given, number, draw)
        elif draw.random() < 0.25:
            error_class: ErrorClass = draw.choice(("retryable", "fatal"))
            error = JobError(error_class=error_class, type="Boom", message=f"step {number}")
            await shop.settle(given, None, error=error)
        elif draw.random() < 0.9:
            await shop.settle(given, {"done": number, "text": "y" * draw.choice((0, 20, 4_000))})


async def _report_again(shop: Workshop, number: int, draw: random.Random) -> None:
    """A worker that is too late: its report must change nothing, and be told of."""
    if shop.settled is not None:
        await shop.settle(shop.settled, f"too late in step {number}")


async def _signal(shop: Workshop, number: int, draw: random.Random) -> None:
    """To a job that waits, to one that will, or to one that never does."""
    if shop.notes.jobs:
        value = {"step": number, "text": "v" * draw.choice((0, 20, 4_000))}
        await shop.signal(draw.choice(shop.notes.jobs), draw.choice(("go", "other")), value)


async def _unblock(shop: Workshop, number: int, draw: random.Random) -> None:
    """Let jobs go on that are blocked because their code has changed, among some that are not."""
    for job in draw.sample(shop.notes.jobs, min(len(shop.notes.jobs), 20)):
        with suppress(Conflict):
            await shop.ask(commands.Unblock(id=job, reason="the battery"))


async def _cancel(shop: Workshop, number: int, draw: random.Random) -> None:
    if shop.notes.jobs:
        await shop.cancel(draw.choice(shop.notes.jobs))


async def _pause(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.ask(commands.Pause(subject="queue:queue-1", reason=f"step {number}"))


async def _resume(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.ask(commands.Resume(subject="queue:queue-1"))


async def _limit(shop: Workshop, number: int, draw: random.Random) -> None:
    """A queue may start so many jobs in a while."""
    rate = Rate(count=draw.randint(1, 5), period_seconds=1.0, burst=draw.randint(1, 5))
    each = PartitionLimits(rate=rate, concurrency=draw.choice((None, 2)))
    limits = FlowLimits(
        rate=rate, concurrency=draw.choice((None, 4)), per_partition=draw.choice((None, each, each))
    )
    queue = draw.choice(("default", "queue-2"))
    await shop.ask(commands.LimitStarts(subject=f"queue:{queue}", limits=limits, reason=f"step {number}"))


async def _bulk(shop: Workshop, number: int, draw: random.Random) -> None:
    """Some dead letters are discarded, or run again."""
    action: BulkAction = draw.choice(("discard", "replay"))
    await shop.ask(commands.StartBulk(action=action, filter=JobFilter(), limit=1, reason=f"step {number}"))


async def _schedule(shop: Workshop, number: int, draw: random.Random) -> None:
    """A schedule is created, or is another one from now on."""
    wanted = Schedule(
        name=draw.choice(("hourly", "often")),
        submission=Submission(kind=KIND.name, input="s" * draw.choice((0, 20, 4_000))),
        every_seconds=draw.choice((20.0, 60.0, 3_600.0)),
    )
    await shop.ask(prepare_schedule(wanted, shop.engine.kinds, shop.engine.limits, replaces=True))


async def _run(shop: Workshop, number: int, draw: random.Random) -> None:
    """A workflow runs: a job, one for each of two items, and one behind them."""
    nodes = (
        Node(name="first", kind=KIND.name, input="n" * draw.choice((0, 20, 4_000))),
        Node(name="each", kind=KIND.name, for_each="${input.items}", input="${item}"),
        Node(name="last", kind=KIND.name, after=("first", "each")),
    )
    wanted = Workflow(format=WORKFLOW_FORMAT, name=draw.choice(("small", "other")), nodes=nodes)
    value, key = {"items": [number, "i" * 300]}, draw.choice((None, f"run {number}"))
    run, _ = await shop.ask(prepare_run(wanted, value, shop.engine.kinds, shop.engine.limits, key))
    if draw.random() < 0.5:
        # It is continued once it has ended: at once, unless somebody works on it already.
        await shop.ask(commands.CancelRun(id=run, reason=f"step {number}", keeps=True))
        await shop.ask(commands.ForkRun(id=run))


async def _keep(shop: Workshop, number: int, draw: random.Random) -> None:
    """A job that nobody asks for again has ended; those that have before are kept no longer."""
    await shop.submit_shortly(f"step {number}", "k" * draw.choice((0, 20, 4_000)))
    await shop.ask(commands.KeepJobs(kind=SHORT, keep_us=_SECOND_US, reason=f"step {number}"))


async def _keep_runs(shop: Workshop, number: int, draw: random.Random) -> None:
    """A run that nobody asks for again has ended; those whose jobs are kept no longer are not, either."""
    nodes = (Node(name="only", kind=SHORT, input="r" * draw.choice((0, 20, 4_000))),)
    wanted = Workflow(format=WORKFLOW_FORMAT, name=SHORT, nodes=nodes)
    run, _ = await shop.ask(prepare_run(wanted, None, shop.engine.kinds, shop.engine.limits, None))
    await shop.ask(commands.CancelRun(id=run, reason="not wanted", keeps=False))
    await shop.ask(commands.KeepRuns(workflow=SHORT, keep_us=_SECOND_US, reason=f"step {number}"))


async def _keep_journal(shop: Workshop, number: int, draw: random.Random) -> None:
    """Entries are kept for longer than the script takes, as its judge reads all of them."""
    days = draw.choice((None, 90, 365))
    kept_us = None if days is None else days * 86_400 * _SECOND_US
    await shop.ask(commands.KeepEntries(keep_us=kept_us, reason=f"step {number}"))


async def _submit_through_gate(shop: Workshop, number: int, draw: random.Random) -> None:
    """One of a burst: it takes the place of the one before it, or the one before it stands for it."""
    debounce = Debounce(key="pane", window_seconds=draw.randrange(1, 10), longest_seconds=30.0)
    throttle = Throttle(key="mail", period_seconds=draw.randrange(1, 10), jobs=2)
    await shop.submit_gated(draw.choice((debounce, throttle)), number)


async def _book(shop: Workshop, number: int, draw: random.Random) -> None:
    """Credits are granted, one of them is taken back, some are reserved, and of an earlier reservation some moved."""
    for account in ("tenant:anna", "operator"):
        await shop.ask(
            commands.OpenAccount(account=account, unit="credits", scale=None, reason="the battery")
        )
    held = _transfer("hold", draw.choice((number, draw.randint(0, number))))
    transfers = (
        Transfer(id=_transfer("grant", number), debit=ISSUE, credit="tenant:anna", unit="credits", amount=10),
        Transfer(
            id=_transfer("hold", number),
            phase="pending",
            debit="tenant:anna",
            credit="operator",
            unit="credits",
            amount=draw.randint(1, 15),
        ),
        Transfer(id=_transfer("post", number), phase="post", pending=held, amount=1),
    )
    undo = Transfer(id=_transfer("undo", number), corrects=_transfer("grant", number), amount=1)
    await shop.ask(commands.ApplyTransfers(transfers=transfers, reason=f"step {number}"))
    # Only what was applied before can be undone.
    await shop.ask(commands.ApplyTransfers(transfers=(undo,), reason=f"step {number}"))


async def _price(shop: Workshop, number: int, draw: random.Random) -> None:
    """Attempts cost something from now on, which is paid in and shared with workers; or they cost nothing any more."""
    payer, unit = "tenant:default", "credits"
    for account in (payer, f"worker:{WORKER}"):
        await shop.ask(commands.OpenAccount(account=account, unit=unit, scale=None, reason="the battery"))
    grant = Transfer(id=_transfer("pay", number), debit=ISSUE, credit=payer, unit=unit, amount=20)
    await shop.ask(commands.ApplyTransfers(transfers=(grant,), reason=f"step {number}"))
    amount, metered = draw.choice(((2, False), (3, True), (None, False)))
    price = commands.PriceKind(
        kind=KIND.name,
        unit=unit if amount else None,
        amount=amount,
        metered=metered,
        worker_share=amount is not None,
        reason=f"step {number}",
    )
    await shop.ask(price)
    budget = commands.LimitSpending(
        subject=payer, unit=unit, per="day", amount=10 * number, reason=f"step {number}"
    )
    await shop.ask(budget)
    await shop.submit(f"step {number}", number, budget={unit: 3})
    nodes, spend = (Node(name="only", kind=KIND.name, input=number),), Budget(spend={unit: 5})
    wanted = Workflow(format=WORKFLOW_FORMAT, name="within", nodes=nodes, budget=spend)
    await shop.ask(prepare_run(wanted, None, shop.engine.kinds, shop.engine.limits, None))


def _transfer(what: str, number: int) -> str:
    return transfer_id(f"{what} {number}")


async def _pause_everything(shop: Workshop, number: int, draw: random.Random) -> None:
    """The system stands still for a moment, and an alert says so; who is told does not always hear that it is over."""
    await shop.ask(commands.ChangeState(to="paused", reason=f"step {number}"))
    await _note_alert(shop, number, value=1)
    await shop.ask(commands.ChangeState(to="operational", reason="it was a moment"))
    await _note_alert(shop, number, value=draw.randrange(2))


async def _note_alert(shop: Workshop, number: int, *, value: int) -> None:
    found = Finding(
        subject="alert:queue_age/queue:default",
        severity="warning",
        value=value,
        threshold=1,
        held_us=0,
        hold_us=0,
        text=f"step {number}",
        affected=("queue:default",),
        seen_us=shop.engine.recorded_us(),
    )
    told = Told(subject=found.subject, seen_us=found.seen_us, taken=("ops",), given_up=(), held_back=False)
    await shop.ask(commands.NoteAlerts(findings=(found,), told=(told,)), ENGINE)


_STEPS = (
    _submit, _submit, _submit, _submit_for_later, _submit_with_limit, _submit_after,
    _work_off, _work_off, _work_off, _work_off, _report_again, _signal, _signal, _cancel, _pause,
    _resume, _limit, _bulk, _schedule, _run, _unblock, _submit_for_somebody, _submit_for_somebody, _keep,
    _submit_with_limit, _submit_after,
    _keep_runs, _keep_journal, _submit_through_gate, _book, _price, _pause_everything,
)  # fmt: skip


def fill(path: Path, seed: int, steps: int, *, keep_log: bool = False, log_pages: int = 64) -> Notes:
    """Make a database by the script, and return what its callers were told.

    With `keep_log` it is left as a crash leaves it: with commits in the log that are not in the database yet.
    """
    notes, vfs = Notes(), KillAtOperation(0)

    async def run() -> None:
        async with workshop(path, notes, vfs=vfs.name, log_pages=log_pages) as shop:
            await work(shop, seed, 0, steps)
            notes.note_end(shop.engine.state.head.seq, shop.engine.state.head.hash)
            if keep_log:
                _copy_with_log(path, shop.store)

    asyncio.run(run())
    if keep_log:
        for kept in path.parent.glob(f"{path.name}*.kept"):
            kept.replace(kept.with_suffix(""))
    else:
        notes.seq, notes.head = read_head(path)
    return notes


def _copy_with_log(path: Path, store: SqliteStore) -> None:
    """The files as a crash at this moment leaves them: a log with commits that are not in the database yet."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        file.with_name(f"{file.name}.kept").write_bytes(file.read_bytes())
    if store._connection.in_transaction:
        raise CorruptData("a copy of a database must be taken between two commits")


def read_head(path: Path) -> tuple[int, str]:
    """The journal's end as the database has it now."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        [(seq, head)] = connection.execute("SELECT seq, head FROM shard").fetchall()
        return int(seq), str(head)
    finally:
        connection.close()
