"""Jobs as tables and pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from sheratan.cli.output import draw_pairs, draw_table
from sheratan.cli.text import held_up, instant, own_budget
from sheratan.contracts.api import JobPage
from sheratan.contracts.budgets import ProposalUse
from sheratan.contracts.code import Difference, versioned
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.prices import Charge
from sheratan.contracts.worker import StepRecord
from sheratan.kernel.accounts import format_amount

__all__ = ["draw_charges", "draw_job", "draw_page", "draw_steps", "tell_difference"]

_HEADERS = ("ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "CREATED", "WAITS FOR")
_STEP_HEADERS = ("STEP", "NAME", "OCCURRENCE", "ENTRY", "OUTPUT")
_CHARGE_HEADERS = ("FENCE", "RESERVED", "CHARGED", "REFUNDED", "SHARE", "UNIT", "TRANSFER")
_OUTCOME_LENGTH_MAX = 80
_encode = msgspec.json.Encoder().encode


def draw_page(page: JobPage) -> None:
    """Draw a page of jobs."""
    draw_table(_HEADERS, [_row(record) for record in page.items])


def _row(record: JobRecord) -> tuple[str, ...]:
    return (
        record.id,
        record.kind,
        record.queue,
        record.state,
        f"{record.attempt}/{record.attempts_max}",
        instant(record.created_us),
        record.waiting_for or "",
    )


def draw_job(record: JobRecord) -> None:
    """Draw one job in full."""
    draw_pairs(_pairs(record))


def _pairs(record: JobRecord) -> Iterator[tuple[str, object]]:
    yield "id", record.id
    yield "kind", versioned(record.kind, record.version)
    yield "queue", f"{record.queue}, priority {record.priority}"
    yield "state", f"{record.state} (entry {record.entry})"
    yield "attempt", f"{record.attempt} of {record.attempts_max}"
    for name, at_us in (
        ("created", record.created_us),
        ("due", record.due_us),
        ("deadline", record.deadline_us),
        ("started", record.leased_us),
        ("ended", record.finished_us),
    ):
        if at_us is not None:
            yield name, instant(at_us)
    yield from ((name, value) for name, value in _relations(record) if value)
    yield "input", _encode(record.input).decode()
    if record.state == "succeeded":
        yield "output", _encode(record.output).decode()
    if record.error:
        yield "error", f"{record.error.type} ({record.error.error_class}): {record.error.message}"


def _relations(record: JobRecord) -> Iterator[tuple[str, object]]:
    """What few jobs have."""
    yield "steps", f"{record.steps} (sheratan job steps {record.id})" if record.steps else None
    yield "worker losses", record.worker_losses
    yield "waits for", record.waiting_for
    yield "difference", tell_difference(record.difference) if record.difference else None
    yield "tags", ", ".join(record.tags)
    yield "blocked by", "\n".join(held_up(one) for one in record.blocked_by)
    yield "partition", record.partition
    yield "trace", record.trace
    yield "cost", record.cost if record.cost != 1 else None
    yield "budget", "\n".join(map(own_budget, record.budget))
    yield "after", "\n".join(record.after)
    yield "runs again", record.origin
    yield "replaced by", record.superseded_by
    yield "part of", f"{record.workflow}, {_node(record)}" if record.workflow else None
    yield "submitted by", record.submitted_by_job
    yield "proposals", _use(record.proposals) if record.proposals else None


def _use(use: ProposalUse) -> str:
    return (
        f"{use.jobs} of {use.jobs_max} jobs made, depth {use.depth} of {use.depth_max},"
        f" until {instant(use.until_us)}; the budget is that of {use.root}"
    )


def _node(record: JobRecord) -> str:
    item = "" if record.item is None else f", item {record.item}"
    return f"node {record.node}{item}"


def tell_difference(difference: Difference) -> str:
    """Where a handler does otherwise than what its job has recorded."""
    recorded = f"expected step {difference.step}, {difference.recorded}"
    if difference.occurrence > 1:
        recorded += f" (occurrence {difference.occurrence})"
    asked = ", ".join(difference.asked)
    if difference.what == "output":
        return f"{recorded}: its output is of another type ({asked})"
    return f"{recorded}; asked for {asked}" if asked else f"{recorded}; the handler ended"


def draw_charges(found: Sequence[Charge]) -> None:
    """Draw what the attempts at a job were charged."""
    draw_table(_CHARGE_HEADERS, [_charge(one) for one in found])


def _charge(one: Charge) -> tuple[str, ...]:
    reserved = format_amount(one.reserved, one.scale)
    amount = "(runs)" if one.amount is None else format_amount(one.amount, one.scale)
    refunded = format_amount(one.refunded, one.scale) if one.refunded else ""
    share = format_amount(one.share, one.scale) if one.payout else ""
    return str(one.fence), reserved, amount, refunded, share, one.unit, one.settlement or one.transfer


def draw_steps(records: Sequence[StepRecord]) -> None:
    """Draw the steps of a job."""
    draw_table(_STEP_HEADERS, [_step(record) for record in records])


def _step(record: StepRecord) -> tuple[str, ...]:
    if record.error is None:
        outcome = bytes(record.output).decode()
    else:
        outcome = f"failed: {record.error.type} ({record.error.error_class}): {record.error.message}"
    if len(outcome) > _OUTCOME_LENGTH_MAX:
        outcome = f"{outcome[:_OUTCOME_LENGTH_MAX]}…"
    return str(record.step), record.name, str(record.occurrence), str(record.entry), outcome
