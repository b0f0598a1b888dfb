"""What stands beside the jobs: dead letters, bulk operations, limits and rates, compared with the model."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.engine.batch import Batch
from sheratan.engine.billing_state import left_of
from sheratan.engine.blockers import limits_of
from sheratan.engine.explain import story
from sheratan.kernel.ledger_facts import transfer_text
from sheratan.simulation.model import Model
from sheratan.simulation.model_lanes import bounds
from sheratan.simulation.model_state import TERMINAL
from sheratan.store.ledger_rows import TransferView
from sheratan.store.port import Reader

__all__ = ["archive_faults", "faults_beside", "retention_faults"]

_ALL = 1 << 32


def faults_beside(reader: Reader, model: Model) -> Iterator[str]:
    """In what the tables beside the jobs are not as the model says."""
    yield from _dead_letters(reader, model)
    yield from _flows(reader, model)
    codes = [tuple(row) for row in reader.blocking_codes()]
    said = [(number, code) for number, job in sorted(model.jobs.items()) for code in sorted(job.blocked_by)]
    if codes != said:
        yield f"jobs are blocked by the code {codes}; the model says {said}"
    system = reader.system()
    wanted = model.system, ",".join(model.affected), model.draining
    if (system.state, system.affected, system.draining is not None) != wanted:
        yield f"the system stands as {system}; the model says {wanted}"
    alerts = {fact.subject: (fact.is_open, fact.is_told, fact.text) for fact in reader.alerts()}
    told = {name: (one.is_open, one.is_told, one.finding.text) for name, one in model.alerts.items()}
    if alerts != told:
        yield f"the alerts are {alerts}; the model says {told}"
    yield from _approvals(reader, model)
    yield from _gates(reader, model)
    yield from _trees(reader, model)
    yield from _ledger(reader, model)
    yield from _charges(reader, model)
    yield from _budgets(reader, model)


def _gates(reader: Reader, model: Model) -> Iterator[str]:
    stored = {(row.kind, row.what, row.key.hex()): tuple(row[4:]) for row in reader.gates(model.at_us)}
    if stored != model.gates_at(model.at_us):
        yield f"the gates are {stored}; the model says {model.gates_at(model.at_us)}"


def _trees(reader: Reader, model: Model) -> Iterator[str]:
    """Jobs that have proposed others, and all that descends from them."""
    rows = reader.all_trees()
    stored = {row.root: (row.run, row.jobs, row.members) for row in rows}
    members = {row.number: tuple(row[1:]) for row in reader.all_tree_members()}
    if (stored, members) != model.trees():
        yield f"the trees are {stored} with {members}; the model says {model.trees()}"


def _ledger(reader: Reader, model: Model) -> Iterator[str]:
    """Accounts, and what has become of each transfer."""
    accounts = {
        (row.name, row.unit): (
            row.scale,
            *balance[1:5],
            balance.closed_by and transfer_text(balance.closed_by),
        )
        for row, balance in reader.all_ledger_accounts()
    }
    said = {
        key: (one.scale, one.giving, one.given, one.taking, one.taken, one.closed_by)
        for key, one in model.book.accounts.items()
    }
    if accounts != said:
        yield f"the accounts are {accounts}; the model says {said}"
    views = reader.list_transfers(DEFAULT_TENANT, None, 0, _ALL)
    stored = {
        transfer_text(view.transfer.id): (
            view.debit,
            view.credit,
            view.unit,
            view.transfer.amount,
            *_end(view),
        )
        for view in views
    }
    meant = {
        key: (one.debit[0], one.credit[0], one.debit[1], one.amount, one.state, one.posted)
        for key, one in model.book.transfers.items()
    }
    if stored != meant:
        yield f"the transfers are {stored}; the model says {meant}"
    yield from _corrected(reader, model)
    if wrong := reader.ledger_findings():
        yield f"the ledger does not add up: {wrong}"


def _corrected(reader: Reader, model: Model) -> Iterator[str]:
    """How much of which transfer was corrected."""
    stored = {transfer_text(view.id): view.amount for view in reader.all_corrected()}
    meant = {key: one.corrected for key, one in model.book.transfers.items() if one.corrected}
    if stored != meant:
        yield f"of transfers is corrected {stored}; the model says {meant}"


def _charges(reader: Reader, model: Model) -> Iterator[str]:
    """What attempts cost, and what they did cost."""
    numbers = sorted({number for number, _ in model.charged})
    charges = {(number, one.fence): one.amount for number in numbers for one in reader.charges_of(number)}
    if charges != model.charged:
        yield f"the charges are {charges}; the model says {model.charged}"
    stored = {row[1:3]: row[3:] for row in reader.reliabilities()}
    meant = {key: (one.success, one.latency, one.attempts) for key, one in model.records.items()}
    if stored != meant:
        yield f"the workers are known to be {stored}; the model says {meant}"


def _budgets(reader: Reader, model: Model) -> Iterator[str]:
    """What may be spent, and how much of it is left."""
    stored = {
        (row.subject, row.unit): None
        if row.amount is None
        else (row.amount, row.per, left_of(row, model.at_us))
        for row in reader.budgets()
    }
    if stored != model.budgets_at(model.at_us):
        yield f"the budgets are {stored}; the model says {model.budgets_at(model.at_us)}"


def _end(view: TransferView) -> tuple[str, int | None]:
    """What has become of a transfer, and how much of a pending one was posted."""
    if view.resolved is not None:
        return view.resolved.state, view.resolved.amount
    return {"pending": "pending", "void": "voided"}.get(view.transfer.phase, "posted"), None


def _dead_letters(reader: Reader, model: Model) -> Iterator[str]:
    dead = [number for number, job in sorted(model.jobs.items()) if job.is_dead]
    stored = list(reader.dead_letters())
    if stored != dead:
        yield f"the dead letters are {stored}; the model says {dead}"
    bulks = [(row.entry, row.last, row.done, row.ended is not None) for row in reader.all_bulks()]
    meant = [(entry, bulk.last, bulk.done, bulk.is_over) for entry, bulk in model.bulks.items()]
    if bulks != meant:
        yield f"bulk operations have come to {bulks}; the model says {meant}"


def _approvals(reader: Reader, model: Model) -> Iterator[str]:
    """Requests for approval, and what was done with them."""
    stored = {f"approval:{row.entry}": (row.number, row.state, row.due_us) for row in reader.all_approvals()}
    said = {one.id: (one.number, one.state, one.due_us) for one in model.approvals.values()}
    if stored != said:
        yield f"the requests for approval are {stored}; the model says {said}"
    acts = {
        (f"approval:{act.approval}", act.actor, act.what, act.receiver, act.entry)
        for act in reader.all_approval_acts()
    }
    meant = {
        (one.id, who, verdict, None, entry)
        for one in model.approvals.values()
        for who, (verdict, entry) in one.said.items()
    }
    meant |= {
        (one.id, who, "delegate", receiver, entry)
        for one in model.approvals.values()
        for who, (receiver, entry) in one.handed.items()
    }
    if acts != meant:
        yield f"with requests for approval was done {sorted(acts, key=str)}; the model says {sorted(meant, key=str)}"


def _flows(reader: Reader, model: Model) -> Iterator[str]:
    """What is set for queues and kinds, and how far their rates are used up."""
    stored = {row.subject: (bool(row.paused), limits_of(row), bool(row.declared)) for row in reader.flows()}
    said = {
        subject: (subject in model.paused, limits, subject in model.declared)
        for subject, limits in model.set_for.items()
    }
    if stored != said:
        yield f"queues and kinds have {stored}; the model says {said}"
    counts = {subject: limits.rate.count for subject, limits in model.set_for.items() if limits.rate}
    paces: dict[Any, Fraction] = {
        row.subject: row.pace_us + Fraction(row.part, counts.get(row.subject, 1)) for row in reader.paces()
    }
    paces |= _partition_paces(reader, model)
    if paces != model.paid_off:
        yield f"the rates are used up until {paces}; the model says {model.paid_off}"


def _partition_paces(reader: Reader, model: Model) -> dict[Any, Fraction]:
    names = {row.number: row.name for row in reader.all_partitions()}
    found: dict[Any, Fraction] = {}
    for row in reader.partition_paces(0):
        rate = bounds(model.set_for[row.subject]).rate
        part = Fraction(row.part, rate.count if rate else 1)
        found[row.subject, names[row.number]] = row.pace_us + part
    return found


def retention_faults(reader: Reader, model: Model) -> Iterator[str]:
    """In what is kept, and what was pruned in the batch just committed, is not as the model says."""
    yield from model.faults
    kept = {row.scope: row.keep_us for row in reader.retentions()}
    said = model.kept | {f"workflow:{name}": keep_us for name, keep_us in model.kept_runs.items()}
    if kept != said:
        yield f"jobs and runs are kept for {kept}; the model says {said}"
    if model.pruned_now:
        yield from _pruned(reader, model, sorted(chain(*model.pruned_now.values())))
    if model.pruned_runs_now:
        yield from _pruned_runs(reader, model, sorted(chain(*model.pruned_runs_now.values())))


def archive_faults(reader: Reader, model: Model, batch: Batch) -> Iterator[str]:
    """What is open has its whole story in the journal, where a segment was archived in the batch just committed.

    And how long entries are kept is what was said.
    """
    kept_us = reader.journal_kept().keep_us
    if kept_us != model.journal_kept:
        yield f"entries are kept for {kept_us}; the model says {model.journal_kept}"
    if batch.unit.segment is None:
        return
    begun = {job.id: "job.submitted" for job in model.jobs.values() if job.state not in TERMINAL}
    begun |= {run.id: "workflow.started" for run in model.runs.values() if run.is_open}
    for subject, first in begun.items():
        told = story(reader, subject).lines[0].type
        if told != first:
            yield f"{subject} is open, and its story begins with {told}"


def _pruned(reader: Reader, model: Model, numbers: list[int]) -> Iterator[str]:
    left = {one.number: (one.id, one.state, one.finished_us) for one in reader.remains(numbers)}
    said = {n: (job.id, job.state, job.ended_us) for n in numbers for job in [model.jobs[n]]}
    if left != said:
        yield f"of the jobs that were pruned is left {left}; the model says {said}"
    stay = (
        reader.jobs(numbers),
        reader.results(numbers),
        reader.failure_rows(numbers),
        reader.tag_rows(numbers),
    )
    if any(stay) or reader.last_steps(numbers):
        yield f"of the jobs {numbers}, which were pruned, {stay} is left"


def _pruned_runs(reader: Reader, model: Model, numbers: list[int]) -> Iterator[str]:
    left = {one.number: (one.id, one.state, one.finished_us) for one in reader.run_remains(numbers)}
    said = {n: (run.id, run.state, run.ended_us) for n in numbers for run in [model.runs[n]]}
    if left != said:
        yield f"of the runs that were pruned is left {left}; the model says {said}"
    stay = (
        reader.runs(numbers),
        reader.run_results(numbers),
        reader.nodes(numbers),
        reader.node_jobs(numbers),
    )
    if any(stay):
        yield f"of the runs {numbers}, which were pruned, {stay} is left"
