"""Planted bugs of the rules: what is decided."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_RETRY = "kernel/retry.py"
_OUTCOME = "kernel/outcome.py"
_AFTER = "kernel/dependency.py"
_ADMISSION = "kernel/admission.py"
_RESERVE = "kernel/reserve.py"
_SHARING = "kernel/sharing.py"

BUGS = (
    Bug(
        "backoff-exponent-off-by-one",
        "the ceiling of a delay is doubled once too often",
        "safety",
        "retry.backoff@1",
        (Change(_RETRY, "min(failures - 1, 40)", "min(failures, 40)"),),
    ),
    Bug(
        "backoff-ignores-what-was-asked",
        "a wait that a provider asked for is drawn at random",
        "safety",
        "retry.backoff@1",
        (Change(_RETRY, "if asked is not None:", "if asked is not None and asked < 0:"),),
    ),
    Bug(
        "one-attempt-too-many",
        "attempts_max is off by one, upwards",
        "safety",
        "E10",
        (
            Change(_RETRY, "if failures >= most:", "if failures > most:"),
            Change(
                "engine/settle.py",
                '    assert action != "retry" or given["failures"] < job.attempts_max\n',
                "",
            ),
        ),
    ),
    Bug(
        "one-attempt-too-few",
        "attempts_max is off by one, downwards",
        "safety",
        "E10",
        (Change(_RETRY, "if failures >= most:", "if failures + 1 >= most:"),),
    ),
    Bug(
        "one-loss-too-many",
        "worker_losses_max is off by one",
        "safety",
        "E10",
        (
            Change(_RETRY, "if losses >= losses_max:", "if losses > losses_max:"),
            Change(
                "engine/settle.py",
                '    assert action != "requeue" or losses < batch.state.limits.worker_losses_max\n',
                "",
            ),
        ),
    ),
    Bug(
        "fatal-errors-are-retried",
        "an error that is marked as final is tried again",
        "safety",
        "retry.backoff@1",
        (Change(_RETRY, '    "fatal": "the error is marked as final",\n', ""),),
    ),
    Bug(
        "fence-not-checked",
        "a report counts whatever its fence, as long as somebody holds the job",
        "safety",
        "E3",
        (
            Change(
                _OUTCOME,
                'if given["fence"] != given["fence_current"]:',
                'if given["fence_current"] is None:',
            ),
        ),
    ),
    Bug(
        "cancel-beats-success",
        "a success that crosses a request to cancel is recorded as a cancellation",
        "safety",
        "E12",
        (
            Change(
                _OUTCOME,
                'if outcome == "succeeded":',
                'if outcome == "succeeded" and not given["cancel_requested"]:',
            ),
        ),
    ),
    Bug(
        "success-after-cancel-refused",
        "a success that crosses a request to cancel is fenced off",
        "safety",
        "E12",
        (
            Change(
                _OUTCOME,
                '    if outcome == "succeeded":',
                '    if outcome == "succeeded" and given["cancel_requested"]:\n'
                '        return Verdict("fenced_off", "Ignored: it was to be cancelled.")\n'
                '    if outcome == "succeeded":',
            ),
        ),
    ),
    Bug(
        "cancelled-job-is-retried",
        "a failure of a job that was to be cancelled is tried again",
        "safety",
        "E12",
        (
            Change(
                _OUTCOME,
                'if given["cancel_requested"]:\n',
                'if given["cancel_requested"] and outcome == "cancelled":\n',
            ),
        ),
    ),
    Bug(
        "cancel-twice-says-otherwise",
        "the record of a second request to cancel says that the job was cancelled",
        "explanation",
        "E12",
        (
            Change(
                _OUTCOME,
                'if state == "running":',
                'if state == "running" and not given["already_requested"]:',
            ),
        ),
    ),
    Bug(
        "cancelled-parent-does-not-cancel",
        "jobs go on although one that they run after was cancelled",
        "safety",
        "E11",
        (Change(_AFTER, 'if given["state"] != "succeeded" and', 'if given["state"] == "failed" and'),),
    ),
    Bug(
        "delay-forgotten-after-parents",
        "a job that waited for others starts before its delay is over",
        "safety",
        "E13",
        (Change(_AFTER, 'if given["delay_us"]:', 'if given["delay_us"] < 0:'),),
    ),
    Bug(
        "queue-takes-one-more",
        "queue_jobs_max is off by one",
        "safety",
        "E16",
        (Change(_ADMISSION, 'given["depth"] >= places', 'given["depth"] > places'),),
    ),
    Bug(
        "critical-jobs-without-reserve",
        "a queue that is full of normal jobs takes no critical one in",
        "safety",
        "E16",
        (
            Change(_RESERVE, "_NORMAL - CRITICALITIES", "max(0, _NORMAL - CRITICALITIES"),
            Change(_RESERVE, "index(criticality))", "index(criticality)))"),
        ),
    ),
    Bug(
        "reserve-for-all",
        "jobs that are not critical take the places that a queue keeps for critical ones",
        "safety",
        "E16",
        (
            Change(
                "engine/intake.py",
                'given["criticality"] = new.criticality',
                'given["criticality"] = "critical"',
            ),
        ),
    ),
    Bug(
        "drain-ignored-at-intake",
        "an engine that drains takes jobs in",
        "safety",
        "E17",
        (Change(_ADMISSION, 'if given["intake"] != "open":', 'if given["intake"] == "closed":'),),
    ),
    Bug(
        "failed-parent-ignored-at-submit",
        "a job is taken in although one that it runs after has failed before",
        "safety",
        "E11",
        (
            Change(
                _ADMISSION,
                'if failed and given["after_failure"] == "cancel":',
                'if failed and given["after_failure"] == "cancel" and given.get("waits_for"):',
            ),
        ),
    ),
    Bug(
        "newest-first",
        "of equally urgent jobs the newest starts first",
        "safety",
        "order",
        (Change(_SHARING, 'for head in reversed(given["heads"]):', 'for head in given["heads"]:'),),
    ),
    Bug(
        "priority-ignored",
        "jobs start in the order in which they came",
        "safety",
        "order",
        (
            Change(_SHARING, "return head[1], tag, head[2], head[0]", "return 0, tag, head[2], head[0]"),
            Change(
                "kernel/partitions.py",
                "return first[0], tag, first[2], lane",
                "return 0, tag, first[2], lane",
            ),
        ),
    ),
    Bug(
        "room-ignored",
        "one lease call may go beyond running_jobs_max",
        "safety",
        "E16",
        (
            Change(_SHARING, 'places = min(given["slots"], given["room"])', 'places = given["slots"]'),
            Change("kernel/partitions.py", 'min(given["slots"], given["room"])', 'given["slots"]'),
        ),
    ),
)
