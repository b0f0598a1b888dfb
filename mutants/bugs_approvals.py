"""Planted bugs in what people approve."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_APPROVALS = "engine/approvals.py"
_QUORUM = "engine/quorum.py"
_RULE = "kernel/approval.py"

BUGS: Final = (
    Bug(
        "approval-of-any-digest",
        "an approval counts although it names something else than what was asked",
        "safety",
        "S5",
        (Change(_APPROVALS, "    _check_digest(command, terms)\n", ""),),
    ),
    Bug(
        "approval-by-the-requester",
        "whoever asked for a job approves what it asks",
        "safety",
        "S5",
        (
            Change(
                _RULE,
                'if who.startswith(_MACHINES) or (who == given["requester"] and not given["self_approval"]):',
                "if who.startswith(_MACHINES):",
            ),
            Change(
                _RULE,
                '        if approver == given["requester"] and not given["self_approval"]:\n            continue\n',
                "",
            ),
        ),
    ),
    Bug(
        "approval-used-twice",
        "what was decided is decided again by somebody else",
        "safety",
        "S5",
        (Change(_APPROVALS, '    if row.state != "open":\n', "    if False:\n"),),
    ),
    Bug(
        "approval-past-its-deadline",
        "an approval counts that comes after the deadline",
        "safety",
        "S5",
        (
            Change(_APPROVALS, "    if row.due_us <= batch.at_us:\n", "    if False:\n"),
            Change(_RULE, 'if at_us < given["due_us"] and has_say(', "if has_say("),
        ),
    ),
    Bug(
        "approval-by-expiry",
        "what nobody decides in time is taken for approved",
        "safety",
        "S5",
        (
            Change(
                _QUORUM,
                'end_approval(batch, row, "expired", entry)',
                'end_approval(batch, row, "approved", entry)',
            ),
        ),
    ),
    Bug(
        "approval-counts-twice",
        "one person who approves twice counts as two",
        "safety",
        "S5",
        (
            Change(_APPROVALS, "    if said is not None:\n", "    if False:\n"),
            Change(_RULE, "counted.setdefault(voter, verdict)", "counted[f'{voter}{at_us}'] = verdict"),
        ),
    ),
    Bug(
        "approval-by-one-of-two",
        "one approval is enough where two are needed",
        "safety",
        "S5",
        (Change(_RULE, 'if len(counted) >= given["needed"]:', "if counted:"),),
    ),
    Bug(
        "denial-unheard",
        "a denial counts as an approval",
        "safety",
        "S5",
        (Change(_RULE, 'if verdict == "deny"]', 'if verdict == "never"]'),),
    ),
    Bug(
        "approval-by-a-worker",
        "a worker approves over its own connection what its handlers ask",
        "safety",
        "S5",
        (
            Change(
                "gateway/api.py",
                "if sessions and isinstance(request, Decision):",
                "if not self._handlers and isinstance(request, Decision):",
            ),
        ),
    ),
    Bug(
        "approval-by-a-machine",
        "a worker has a say where anyone may decide",
        "safety",
        "S5",
        (
            Change(
                _RULE, '_MACHINES: Final = ("worker:", "engine", "job_")', '_MACHINES: Final = ("nobody",)'
            ),
        ),
    ),
    Bug(
        "say-handed-to-the-requester",
        "a say is handed on to whoever asked for the job, who then has one of two",
        "safety",
        "S5",
        (
            Change(
                _RULE,
                '    if receiver == given["requester"] and not given["self_approval"]:\n',
                "    if False:\n",
            ),
        ),
    ),
    Bug(
        "say-kept-when-handed-on",
        "whoever has handed their say on still decides, and the other does not",
        "safety",
        "S5",
        (Change(_RULE, "            who = successors.get(who, who)\n", "            successors.get(who)\n"),),
    ),
    Bug(
        "changed-request-passes",
        "a handler that asks for something else gets what was decided about the first",
        "safety",
        "S5",
        (Change(_APPROVALS, "    if terms == asked:\n", "    if terms:\n"),),
    ),
    Bug(
        "asked-again-is-asked-anew",
        "every attempt makes a request of its own, and people are asked twice",
        "safety",
        "E1",
        (
            Change(
                _APPROVALS,
                "for row in batch.approvals_of(command.number):",
                "for row in batch.approvals_of(0):",
            ),
        ),
    ),
    Bug(
        "asks-under-any-fence",
        "an attempt that was given up asks people",
        "safety",
        "E3",
        (
            Change(
                _APPROVALS,
                "if held is None or held.lease.fence != command.fence:",
                "if held is None:",
            ),
        ),
    ),
    Bug(
        "request-outlives-its-job",
        "a job ends, and people are still asked what it has asked",
        "safety",
        "S5",
        (
            Change(
                "engine/follow.py", "if job.number in batch.state.asking:", "if batch.state.asking is None:"
            ),
        ),
    ),
    Bug(
        "requests-forgotten-at-start",
        "an engine that starts does not know which jobs have asked people",
        "safety",
        "E1",
        (
            Change(
                "engine/state.py", "for entry, number in store.open_approvals():", "for entry, number in ():"
            ),
        ),
    ),
    Bug(
        "approval-wakes-nobody",
        "a handler that waits for an approval is not told of it before its deadline",
        "liveness",
        "E9",
        (Change(_APPROVALS, "        _wake(batch, row.number)\n", ""),),
    ),
    Bug(
        "deadline-of-nobody",
        "a request is recorded without the deadline that was asked for",
        "liveness",
        "E13",
        (Change(_APPROVALS, "    if command.seconds is not None:\n", "    if False:\n"),),
    ),
)
