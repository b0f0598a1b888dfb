"""The state of a fold as canonical bytes: who has it can go on with a journal whose beginning is not at hand.

It holds what later entries are compared with, and nothing about jobs and runs that have ended but a byte each. What
a fold keeps and this module does not know is refused: a state that lacks a part would be found by nobody else.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.kernel.alerting import AlertFact
from sheratan.kernel.approval import ApprovalFact
from sheratan.kernel.facts import (
    Announced,
    BulkFact,
    FlowFact,
    GateFact,
    KeyFact,
    Mention,
    OpenJob,
    ScheduleFact,
    Violation,
)
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_archive import KEPT_FOR_EVER, KeptFact, SegmentFact
from sheratan.kernel.fold_budgets import BudgetFact, ChargeFact, PriceFact
from sheratan.kernel.fold_proposals import Coming, MemberBook, TreeBook
from sheratan.kernel.fold_run_budgets import RunBudgetFact
from sheratan.kernel.fold_shares import Owed, ShareFact
from sheratan.kernel.ledger_book import FrozenBook
from sheratan.kernel.margin import Reliability
from sheratan.kernel.new_facts import FactCount, RetentionFact
from sheratan.kernel.outcomes import Outcomes
from sheratan.kernel.rate import Pace
from sheratan.kernel.run_facts import OpenRun
from sheratan.kernel.system import SystemFact

__all__ = ["freeze", "thaw"]


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Table = list[tuple[_Key, _Value]]
"""A dictionary in the order of its keys, which no history of it can change."""


class _Run(msgspec.Struct, frozen=True):
    """An open run, and the run that it runs for by name: in memory they share it."""

    run: OpenRun
    parent: str | None


class _State(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Each field has the name of an attribute of the fold. What is new in a later release has a default."""

    told: FactCount
    open: _Table[int, OpenJob]
    outcomes: tuple[int, int, _Table[int, bytes]]
    keys: _Table[tuple[str, bytes], KeyFact]
    mentions: list[Mention]
    losses_max: int
    followers: _Table[int, list[int | tuple[int, int, int]]]
    awaited: _Table[tuple[int, int, int], set[int]]
    runs: list[_Run]
    newest_run: int
    run_mentions: list[Mention]
    forked: _Table[int, tuple[str, str]]
    run_keys: _Table[tuple[str, bytes], KeyFact]
    run_jobs: _Table[int, tuple[str, str, int]]
    approvals: _Table[int, ApprovalFact]
    partitions: _Table[tuple[str, str], int]
    schedules: _Table[tuple[str, str], ScheduleFact]
    announced: _Table[int, Announced]
    announced_runs: _Table[int, Announced]
    offers: _Table[int, dict[str, str]]
    dead: set[int]
    bulks: _Table[int, BulkFact]
    _again: tuple[int, str, str] | None
    flows: _Table[tuple[str, str], FlowFact]
    paces: _Table[tuple[str, str], Pace]
    partition_paces: _Table[tuple[str, str, str], Pace]
    _tenants: set[str]
    _ages: bool
    _started: _Table[tuple[str, ...], set[int]]
    retentions: _Table[tuple[str, str], RetentionFact]
    pruned: tuple[int, int, _Table[int, bytes]]
    pruned_runs: tuple[int, int, _Table[int, bytes]] | None = None
    gates: _Table[tuple[str, str, str, bytes], GateFact]
    superseding: _Table[int, int]
    _swept: int
    collects: _Table[int, dict[str, list[int]]]
    trees: _Table[int, TreeBook]
    members: _Table[int, MemberBook]
    coming: Coming | None
    segments: list[SegmentFact]
    journal_kept: KeptFact = KEPT_FOR_EVER
    ledger: FrozenBook
    prices: _Table[tuple[str, str], PriceFact] = []
    alerts: _Table[str, AlertFact] = []
    budgets: _Table[tuple[str, str, str], BudgetFact] = []
    run_budgets: _Table[int, dict[str, RunBudgetFact]] = []
    spenders: _Table[int, tuple[int, ...]] = []
    charges: _Table[int, ChargeFact] = []
    owed: _Table[str, Owed] = []
    reliabilities: _Table[tuple[str, str, str], Reliability] = []
    shares: _Table[str, ShareFact] = []
    counts: _Table[str, int]
    policy: int | None
    engine_entry: int | None
    epoch: int
    last_type: str
    ringing_us: int
    system: SystemFact
    _workers: _Table[str, int]


_DERIVED: Final = frozenset({"_violations", "new", "by_subject", "forbidden", "bounds"})
"""Attributes that follow from the others, or that whoever goes on has of their own."""

_NAMES: Final = frozenset(_State.__struct_fields__) - {"told"}
_AS_THEY_ARE: Final = _NAMES - {"outcomes", "pruned", "pruned_runs", "runs", "run_jobs", "ledger"}
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(_State).decode


def freeze(fold: Fold, told: FactCount) -> bytes:
    """The state of a fold whose facts were taken, and how many rows the journal has told of so far."""
    kept = vars(fold)
    assert kept.keys() - _DERIVED == _NAMES, f"{kept.keys() ^ _NAMES ^ _DERIVED} is kept, or is not"
    state: dict[str, Any] = {name: _in_order(kept[name]) for name in _AS_THEY_ARE}
    runs = [
        _Run(msgspec.structs.replace(run, parent=None), run.parent.subject if run.parent else None)
        for _, run in sorted(fold.runs.items())
    ]
    jobs = [
        (number, (run.subject, node, item)) for number, (run, node, item) in sorted(fold.run_jobs.items())
    ]
    return _encode(
        _State(
            **state,
            told=told,
            outcomes=fold.outcomes.freeze(),
            pruned=fold.pruned.freeze(),
            pruned_runs=fold.pruned_runs.freeze() if fold.pruned_runs.count else None,
            runs=runs,
            run_jobs=jobs,
            ledger=fold.ledger.freeze(),
        )
    )


def thaw(body: bytes, violations: list[Violation]) -> tuple[Fold, FactCount]:
    """A fold that goes on from a state; CorruptData when these bytes are none."""
    try:
        state = _decode(body)
        fold = Fold(violations)
        for name in _AS_THEY_ARE:
            value = getattr(state, name)
            setattr(fold, name, dict(value) if isinstance(getattr(fold, name), dict) else value)
        fold.outcomes, fold.pruned = Outcomes.thaw(*state.outcomes), Outcomes.thaw(*state.pruned)
        if state.pruned_runs is not None:
            fold.pruned_runs = Outcomes.thaw(*state.pruned_runs)
        fold.ledger.thaw(state.ledger)
        fold.stand(state.system)
        fold.find_bounds()
        fold.by_subject = {job.subject: job for job in fold.open.values()}
        fold.runs = {one.run.subject: one.run for one in state.runs}
        for one in state.runs:
            one.run.parent = None if one.parent is None else fold.runs[one.parent]
        fold.run_jobs = {
            number: (fold.runs[subject], node, item) for number, (subject, node, item) in state.run_jobs
        }
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
        raise CorruptData(f"this is no state of a journal's fold: {error}") from error
    return fold, state.told


def _in_order(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, dict) else value
