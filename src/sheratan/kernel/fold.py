"""The fold of a journal: what must be true of the world if these entries, and nothing else, happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_alerts import AlertFold
from sheratan.kernel.fold_approvals import ApprovalFold
from sheratan.kernel.fold_archive import ArchiveFold
from sheratan.kernel.fold_billing import BillingFold
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_dead import DeadFold
from sheratan.kernel.fold_flow import FlowFold
from sheratan.kernel.fold_gates import GateFold
from sheratan.kernel.fold_jobs import JobFold
from sheratan.kernel.fold_retention import RetentionFold
from sheratan.kernel.fold_smooth import BROKEN_DATA
from sheratan.kernel.fold_system import SystemFold
from sheratan.kernel.stencil import Run
from sheratan.kernel.system import SYSTEM_TRANSITIONS

__all__ = ["Fold"]


class Fold(ArchiveFold):
    """Takes entries in order. Memory grows with open jobs, keys, dead letters, approvals, accounts, ids of transfers
    and, a byte each, ended jobs and pruned runs.

    It never raises on what an entry says: what it cannot use becomes a violation, and it goes on.
    """

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.counts: dict[str, int] = {}
        self.policy: int | None = None
        self.engine_entry: int | None = None
        self.epoch = 0
        self.last_type = ""
        self._workers: dict[str, int] = {}

    def apply(self, entry: Entry) -> None:
        """Take the next entry."""
        self.apply_all((entry,))

    def apply_all(self, entries: Sequence[Entry]) -> None:
        """Take the next entries."""
        counts = self.counts
        for entry_type, count in Counter([entry.type for entry in entries]).items():
            counts[entry_type] = counts.get(entry_type, 0) + count
        for entry in entries:
            handler = _HANDLERS.get(entry.type)
            if handler is None:
                # An unknown type breaks the form of an entry, which is said where the form is checked.
                continue
            try:
                if entry.type in self.forbidden:
                    self.check_allowed(entry)
                handler(self, entry)
            except BROKEN_DATA as error:
                text = f"its data is not that of a {entry.type}: {type(error).__name__}: {error}"
                self.say(entry, "J8", text)
            if entry.policy != self.policy:
                text = f"it names entry {entry.policy} as its policy; {self.policy} was in force"
                self.say(entry, "J10", text)
        if entries:
            self.last_type = entries[-1].type

    def apply_run(self, run: Run) -> None:
        """Take the next entries, which differ in numbers only."""
        entry, count = run.stencil.entry, len(run.lines)
        take = self.run_comes_in if entry.type == "job.submitted" else self.run_succeeds
        if entry.policy == self.policy and entry.type not in self.forbidden and take(run):
            self.counts[entry.type] = self.counts.get(entry.type, 0) + count
            self.last_type = entry.type
        else:
            self.apply_all(run.entries())

    def _engine(self, entry: Entry) -> None:
        self.check_previous(entry, self.engine_entry)
        self.engine_entry = entry.seq

    def _engine_draining(self, entry: Entry) -> None:
        self._engine(entry)
        if SYSTEM_TRANSITIONS[self.system.current].get("draining") != entry.type:
            self.say(entry, "H1", f"the system may not go from {self.system.current} to draining")
        self.stand(self.system._replace(draining=entry.seq))

    def _engine_stopped(self, entry: Entry) -> None:
        self._engine(entry)
        self.stand(self.system._replace(draining=None))

    def _engine_started(self, entry: Entry) -> None:
        self._engine(entry)
        self.stand(self.system._replace(draining=None))
        epoch = entry.data["epoch"]
        if epoch <= self.epoch:
            self.say(entry, "J16", f"owner number {epoch} follows owner number {self.epoch}")
        self.epoch = epoch
        self.ringing_us = entry.at
        decision_of(entry)
        # Sessions end with the engine that they registered with.
        self._workers.clear()
        self.offers.clear()
        self.collects.clear()

    def _clock_stepped(self, entry: Entry) -> None:
        self._engine(entry)
        # Set forward, it may leave more overdue at once than one commit does.
        self.ringing_us = entry.at

    def _policy_set(self, entry: Entry) -> None:
        self.check_previous(entry, self.policy)
        limits = entry.data["limits"]
        if digest(canonical(limits)) != entry.data["digest"]:
            self.say(entry, "J8", "the digest of its limits is another")
        self.policy = entry.seq
        self.losses_max = limits["worker_losses_max"]

    def _registered(self, entry: Entry) -> None:
        self.check_previous(entry, self._workers.get(entry.subject))
        self._workers[entry.subject] = entry.seq
        self.came_on_duty(entry)
        if "collects" in entry.data:
            self.collects[entry.seq] = entry.data["collects"]

    def _leased(self, entry: Entry) -> None:
        self.check_previous(entry, self._workers.get(entry.subject))
        self._workers[entry.subject] = entry.seq
        if self.flows:
            self.check_aged(entry)
        if self.collects or "groups" in entry.data:
            self.check_groups(entry)
        self.leased(entry)
        if self.flows:
            self.check_flows(entry)
        if self.prices:
            self.attempts_start(entry)

    def _worker_ended(self, entry: Entry) -> None:
        self.check_previous(entry, self._workers.pop(entry.subject, None))
        session = int(entry.subject.rpartition("/")[2])
        self.offers.pop(session, None)
        self.collects.pop(session, None)

    def _refused(self, entry: Entry) -> None:
        """A refusal stands beside its queue's story, as a stale report does beside a job's: it links to nothing."""
        self.check_previous(entry, None)
        if decision_of(entry)["chosen"] != "refuse":
            self.say(entry, "E14", "it was not refused by its decision")

    def _signalled(self, entry: Entry) -> None:
        self.check_previous(entry, None)
        self.signalled(entry)

    def _bulk_started(self, entry: Entry) -> None:
        self.check_previous(entry, None)
        self.bulk_started(entry)

    def _fenced_off(self, entry: Entry) -> None:
        self.check_previous(entry, None)
        self.fenced_off(entry)


_HANDLERS: Final[dict[str, Callable[[Fold, Entry], None]]] = {
    "engine.started": Fold._engine_started,
    "engine.draining": Fold._engine_draining,
    "engine.resumed": Fold._engine,
    "engine.stopped": Fold._engine_stopped,
    "system.changed": SystemFold.system_changed,
    "clock.stepped": Fold._clock_stepped,
    "policy.set": Fold._policy_set,
    "worker.registered": Fold._registered,
    "worker.leased": Fold._leased,
    "worker.ended": Fold._worker_ended,
    "queue.paused": FlowFold.flow_set,
    "queue.resumed": FlowFold.flow_set,
    "kind.paused": FlowFold.flow_set,
    "kind.resumed": FlowFold.flow_set,
    "tenant.paused": FlowFold.flow_set,
    "tenant.resumed": FlowFold.flow_set,
    "flow.limited": FlowFold.flow_set,
    "job.submitted": GateFold.submitted,
    "job.refused": Fold._refused,
    "job.throttled": GateFold.throttled,
    "job.proposed": JobFold.proposed,
    "job.due": GateFold.due,
    "job.unblocked": JobFold.changed,
    "job.succeeded": BillingFold.succeeded,
    "job.failed": BillingFold.changed,
    "job.timed_out": JobFold.changed,
    "job.retried": BillingFold.changed,
    "job.requeued": BillingFold.changed,
    "job.cancel_requested": DeadFold.changed,
    "job.cancelled": GateFold.cancelled,
    "job.waiting": BillingFold.changed,
    "job.blocked": BillingFold.changed,
    "job.woken": JobFold.changed,
    "job.fenced_off": Fold._fenced_off,
    "job.replayed": DeadFold.replayed,
    "job.discarded": DeadFold.discarded,
    "bulk.started": Fold._bulk_started,
    "bulk.ended": DeadFold.bulk_ended,
    "signal.sent": Fold._signalled,
    "approval.asked": ApprovalFold.approval_asked,
    "approval.voted": ApprovalFold.approval_voted,
    "approval.delegated": ApprovalFold.approval_delegated,
    "approval.expired": ApprovalFold.approval_expired,
    "approval.cancelled": ApprovalFold.approval_cancelled,
    "step.succeeded": JobFold.stepped,
    "step.failed": JobFold.stepped,
    "schedule.created": JobFold.scheduled,
    "schedule.changed": JobFold.scheduled,
    "schedule.missed": JobFold.scheduled,
    "schedule.fired": JobFold.scheduled,
    "schedule.skipped": JobFold.scheduled,
    "schedule.postponed": JobFold.scheduled,
    "schedule.backfilled": JobFold.scheduled,
    "schedule.triggered": JobFold.scheduled,
    "schedule.paused": JobFold.scheduled,
    "schedule.resumed": JobFold.scheduled,
    "schedule.deleted": JobFold.scheduled,
    "workflow.started": BillingFold.run_started,
    "workflow.forked": JobFold.run_forked,
    "workflow.advanced": BillingFold.run_changed,
    "workflow.blocked": BillingFold.run_changed,
    "workflow.stopping": BillingFold.run_changed,
    "workflow.compensating": BillingFold.run_changed,
    "workflow.ended": BillingFold.run_changed,
    "retention.set": RetentionFold.retention_set,
    "retention.pruned": RetentionFold.retention_pruned,
    "retention.runs_pruned": RetentionFold.retention_runs_pruned,
    "journal.kept": ArchiveFold.entries_kept,
    "journal.archived": ArchiveFold.archived,
    "price.set": BillingFold.price_set,
    "budget.set": BillingFold.budget_set,
    "alert.raised": AlertFold.alert_changed,
    "alert.cleared": AlertFold.alert_changed,
    "alert.notified": AlertFold.alert_notified,
    "ledger.account_opened": lambda fold, entry: fold.ledger.account_opened(entry),
    "ledger.transferred": BillingFold.transferred,
    "ledger.shared": BillingFold.shared,
    "ledger.refused": lambda fold, entry: fold.ledger.transfers_refused(entry),
    "ledger.expired": lambda fold, entry: fold.ledger.transfers_expired(entry, fold.new),
}
