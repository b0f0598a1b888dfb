"""What a run has reached: every promised fault, and every rare branch that must be seen sometimes."""

from __future__ import annotations

from collections import Counter
from typing import Final

__all__ = ["FAULTS", "SOMETIMES", "Coverage"]

FAULTS: Final[dict[str, str]] = {
    "crash.before_statement": "the process is killed before a statement of a commit",
    "crash.before_commit": "the process is killed before COMMIT",
    "crash.inside_commit": "the process is killed between two writes of a commit",
    "crash.after_commit": "the process is killed after a commit, before anybody is answered",
    "crash.any_time": "the process is killed between two batches",
    "crash.at_start": "the process is killed while it takes over",
    "crash.inside_open": "the process is killed between two writes while it opens the database",
    "power.cut": "the power fails",
    "power.lost_write": "a write that was not synced is lost",
    "power.torn_write": "a write that was not synced is torn between sectors",
    "disk.full": "the disk is full for a while",
    "disk.sync_failed": "a sync of the log fails with an I/O error",
    "disk.checkpoint_failed": "a sync of the database fails when its log is moved into it",
    "disk.forsaken_write": "a write that a failed sync gave up never reaches the disk, whatever syncs come later",
    "disk.long_read": "another program reads from a snapshot while commits go on",
    "disk.slow": "a commit takes long",
    "disk.busy": "another program writes to the database, so that a commit is refused",
    "network.request_lost": "a request is lost",
    "network.request_duplicated": "a request arrives twice",
    "network.reply_lost": "a reply is lost",
    "network.reply_duplicated": "a reply arrives twice",
    "network.reordered": "a message overtakes an earlier one",
    "network.hung_up": "a connection breaks",
    "worker.killed": "a worker is killed",
    "worker.paused": "a worker stands still for longer than it may be silent, and goes on",
    "worker.late_heartbeat": "a heartbeat comes late",
    "worker.reports_twice": "a worker reports the end of an attempt twice",
    "worker.overruns": "an attempt runs past its time limit and reports all the same",
    "server.paused": "the server stands still for a while",
    "server.two_owners": "a second server takes over while the first one stands still; then the first goes on",
    "clock.stepped_forward": "the wall clock is set forward",
    "clock.stepped_back": "the wall clock is set back",
    "clock.drifts": "the wall clock runs at another speed than time",
    "policy.changed": "the limits change with a restart while jobs run",
    "client.repeats_key": "a job is submitted again under its key",
    "client.cancels_running": "a job is cancelled while it runs",
}
"""Every fault that the design promises to survive, by name. A campaign in which one never fired proves too little."""

SOMETIMES: Final[dict[str, str]] = {
    "commit.unknown_but_durable": "a commit that nobody heard of is found after the crash",
    "commit.lost_with_crash": "a batch that was decided is gone after the crash, and nobody was told",
    "commit.in_a_thread": "a commit is handed to the writer's thread",
    "commit.failed": "a commit fails and everybody in it is told",
    "owner.deposed": "a deposed owner's commit is refused",
    "engine.resumed": "an engine says that nothing could be written for a while",
    "engine.halted": "an engine halts on an I/O error",
    "engine.halted_then_stopped": "an engine that has halted is stopped in order",
    "power.after_forsaken": "the power fails after a new process went on from what a failed sync had given up",
    "key.found": "a submit finds the job that its key made before",
    "key.conflict": "a key is used for another request",
    "submit.refused_full": "a queue is full",
    "submit.refused_draining": "the engine drains",
    "submit.refused_fan_out": "a job submits more jobs than it may",
    "submit.by_job": "a running job submits another",
    "submit.lost_lease": "a job that has lost its lease submits another, and is refused",
    "after.blocked": "a job waits for others",
    "after.at_once": "a job that another is to run after ends in the very batch in which that one is submitted",
    "after.released": "the last job that one waited for ends",
    "after.cancelled": "a job is cancelled because one that it waited for did not succeed",
    "after.failed_at_submit": "a job names one that has already ended without success",
    "settle.fenced_off": "a stale report changes nothing",
    "settle.success_beats_cancel": "a success crosses a request to cancel and wins",
    "settle.cancelled": "an attempt stops because it was asked to",
    "settle.released": "a job is handed back",
    "retry.delayed": "a failed attempt is tried again later",
    "retry.exhausted": "a job has used up its attempts",
    "retry.asked": "a provider asked for a wait",
    "loss.requeued": "a job lost with its worker goes back",
    "loss.poison": "a job has lost as many workers as it may",
    "timeout.run": "an attempt ran too long",
    "timeout.queue": "a job waited too long in its queue",
    "timeout.queue_kept": "a limit on waiting is looked at too early and set again",
    "timeout.cancel": "an attempt did not stop in time after being asked to",
    "timeout.session": "a worker was not heard of",
    "lease.replaced": "a later lease call ends an earlier one",
    "lease.abandoned": "a worker hung up while it waited",
    "lease.no_room": "the engine runs as many jobs as it may",
    "lease.short_window": "a lease call sees the end of what is in memory",
    "queue.paused": "a paused queue keeps its jobs",
    "kind.paused": "a paused kind keeps its jobs",
    "flow.limited": "somebody limits a queue or a kind",
    "flow.declared": "a kind comes with limits that hold",
    "flow.declared_in_vain": "a kind comes with limits, and somebody has set others",
    "flow.rate_changed": "a rate of which something is used is changed",
    "flow.full": "a job does not start because as many run as may",
    "flow.paced": "a job does not start because it is not its time by a rate",
    "lease.out_of_order": "a job goes before an older one of another lane",
    "step.recorded": "a step is recorded",
    "step.failed": "a step has failed for good, which is recorded",
    "step.ends_attempt": "a step has failed, and the next attempt is to run it again",
    "step.came_again": "a step that is recorded comes again",
    "step.fenced_off": "a stale step changes nothing",
    "step.given_back": "a later attempt gets what an earlier one has recorded",
    "step.beside_another": "two steps of a job run beside each other",
    "wait.parked": "a handler gives its slot back and waits",
    "wait.goes_on": "a wait that was begun before goes on with its instant",
    "wait.over_at_once": "what a handler waits for has come before it waits",
    "wait.signalled": "a handler gets a signal",
    "wait.slept": "a sleep is over",
    "wait.jobs_ended": "all jobs that a handler waits for have ended",
    "spawn.recorded": "a job submits others as one of its steps",
    "spawn.cancelled": "a job is cancelled with the one that spawned it",
    "spawn.came_again": "jobs that were spawned are asked for again",
    "wait.timed_out": "a signal has not come in time",
    "signal.unheard": "a job ends with signals that it has not received",
    "dead.replayed": "a dead letter is replayed",
    "dead.edited": "a dead letter is replayed with another input",
    "dead.discarded": "a dead letter is discarded",
    "dead.gone": "a dead letter was dealt with before",
    "dead.poison_refused": "a quarantined job is not run again without a word",
    "dead.poison_released": "a quarantined job is run again",
    "bulk.cancel": "a bulk operation has cancelled jobs",
    "bulk.retry": "a bulk operation has run ended jobs again",
    "bulk.replay": "a bulk operation has replayed dead letters",
    "bulk.discard": "a bulk operation has discarded dead letters",
    "bulk.goes_on": "a bulk operation takes more than one piece",
    "bulk.stopped": "a bulk operation is stopped by a queue that is full",
    "bulk.too_many": "as many bulk operations go on as may",
    "run.again": "an ended job is run again",
}
"""Branches that a good campaign reaches; one that it never reaches is a test that does not exist."""


class Coverage:
    """Counts what was reached. A name that nobody declared is a mistake."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def hit(self, name: str, times: int = 1) -> None:
        """A fault has fired, or a branch was reached."""
        assert name in FAULTS or name in SOMETIMES, name
        self.counts[name] += times

    def missing(self) -> list[str]:
        """What was never reached."""
        return [name for name in (*FAULTS, *SOMETIMES) if not self.counts[name]]
