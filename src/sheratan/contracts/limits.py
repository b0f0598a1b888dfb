"""Every limit, its default and why that number. Each refusal names the limit."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["LANES_MAX", "LIMIT_REASONS", "NAME_LENGTH_MAX", "Limits"]

NAME_LENGTH_MAX = 128

LANES_MAX = (1 << 20) - 1
"""Combinations of queue and kind that can be numbered; what is above these bits in a number is a partition."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The bounds of one engine. Sizes in bytes, durations in seconds, the rest are counts."""

    payload_bytes_max: Positive = 1_048_576
    result_bytes_max: Positive = 1_048_576
    inline_bytes_max: Positive = 2_048
    error_bytes_max: Positive = 8_192
    batch_jobs_max: Positive = 1_000
    queue_jobs_max: Positive = 2_000_000
    queues_max: Annotated[int, msgspec.Meta(ge=1, le=LANES_MAX)] = 1_000
    partitions_queued_max: Positive = 100_000
    after_jobs_max: Positive = 5_000
    fan_out_jobs_max: Positive = 100_000
    attempts_max: Positive = 100
    proposals_max: Positive = 100
    steps_max: Positive = 10_000
    worker_losses_max: Positive = 3
    running_jobs_max: Positive = 1_000
    lease_jobs_max: Positive = 256
    key_length_max: Positive = 256
    delay_seconds_max: Positive = 34_560_000
    run_timeout_seconds_max: Positive = 604_800
    commands_waiting_max: Positive = 100_000
    commands_batch_max: Positive = 1_024
    connections_max: Positive = 256
    watchers_max: Positive = 256
    metric_lanes_max: Positive = 200
    list_jobs_max: Positive = 500
    tags_max: Positive = 16
    bulk_jobs_max: Positive = 1_000
    bulk_look_jobs_max: Positive = 10_000
    bulk_open_max: Positive = 8
    schedules_max: Positive = 100_000
    workflow_runs_max: Positive = 10_000
    workflow_bytes_max: Positive = 1_048_576
    workflow_output_bytes_max: Positive = 16_777_216
    approvals_open_max: Positive = 10_000
    prune_jobs_max: Positive = 500
    prune_runs_max: Positive = 25
    prune_look_jobs_max: Positive = 2_000
    segment_bytes_max: Positive = 67_108_864
    accounts_max: Positive = 1_000_000
    transfers_max: Positive = 128


LIMIT_REASONS: dict[str, str] = {
    "payload_bytes_max": "input of one job; larger data belongs in a file or object store, named by reference",
    "result_bytes_max": "output of one job, for the same reason",
    "inline_bytes_max": "payloads above this leave the hot rows, which stay small enough to scan quickly",
    "error_bytes_max": "error text kept per attempt; a traceback fits, a log does not",
    "batch_jobs_max": "jobs of one submit call: one commit stays in the low milliseconds",
    "queue_jobs_max": "ready jobs of one queue; a longer backlog hides an outage. Critical jobs may be a fifth more",
    "queues_max": "each queue keeps a window of ready work in memory",
    "partitions_queued_max": "partitions that have queued jobs; each keeps its first ones in memory",
    "after_jobs_max": "jobs that one job may wait for; its journal entry names them and stays below 64 KiB",
    "fan_out_jobs_max": "jobs that one attempt of a job may submit; a loop that breeds jobs ends here",
    "proposals_max": "proposals of one call; the journal entry that decides about them stays below 64 KiB",
    "attempts_max": "a job that failed a hundred times needs a person",
    "steps_max": "steps that one job may record; a later attempt reads them all before it goes on",
    "worker_losses_max": "a job that took down its worker three times is likely the cause",
    "running_jobs_max": "jobs running at once in one engine",
    "lease_jobs_max": "jobs given to a worker in one lease call",
    "key_length_max": "idempotency keys in characters",
    "delay_seconds_max": "400 days",
    "run_timeout_seconds_max": "7 days; longer work belongs in several jobs",
    "commands_waiting_max": "commands waiting for the decider; above it callers are refused, memory does not grow",
    "commands_batch_max": "commands decided in one transaction; bounds the wait of the one that came first",
    "connections_max": "clients connected to the local socket",
    "watchers_max": "live event streams",
    "metric_lanes_max": "combinations of kind and queue with metrics of their own, some 40 series each; others share",
    "list_jobs_max": "rows of one page of a listing",
    "tags_max": "tags of one job; each is a row of its own",
    "bulk_jobs_max": "jobs that a bulk operation changes in one commit; then other callers have their turn",
    "bulk_look_jobs_max": "job numbers that a bulk operation looks at in one turn, however few of them are meant",
    "bulk_open_max": "bulk operations that go on at once; they take turns",
    "schedules_max": "schedules that exist; each costs a row and a place in an index, no memory",
    "workflow_runs_max": "runs of workflows that are open at once; each keeps its nodes in memory",
    "workflow_bytes_max": "a workflow as declared; a thousand nodes of a kilobyte each, data belongs in its input",
    "workflow_output_bytes_max": "outputs of one node together, when a reference looks into them",
    "approvals_open_max": "requests for approval that are open; nobody looks through a longer inbox",
    "prune_jobs_max": "jobs pruned in one commit; then other callers have their turn",
    "prune_runs_max": "runs pruned in one commit, each with what was decided about its nodes, at most 1,000",
    "prune_look_jobs_max": "jobs or runs looked at in one turn, whether they are to be pruned or not",
    "segment_bytes_max": "entries of one archived segment before they are packed; memory, and one commit, hold them",
    "accounts_max": "accounts of the ledger; each is held in memory while the journal is verified",
    "transfers_max": "transfers of one request: one journal entry names them all, in some 30 KB with usual names",
}
