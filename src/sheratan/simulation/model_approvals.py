"""The part of the model that knows approvals: who may decide, what they have said, and what comes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.commands import Ask, Delegate, Pending, Vote
from sheratan.simulation.model_alerts import ModelAlerts
from sheratan.simulation.model_state import ModelJob
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelApproval", "ModelApprovals"]

_NEVER_US: Final = 2**53 - 1
_HANDS_MAX: Final = 5


@dataclass
class ModelApproval:
    """A request as the model knows it. `holders` may decide, None: anyone; `hands` counts how often a say went on."""

    id: str
    number: int
    asked: dict[str, Any]
    due_us: int
    needed: int
    barred: str | None
    """Who may not decide, having asked for the job."""
    holders: set[str] | None
    state: str = "open"
    said: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By person, what they have said and the entry that records it."""
    handed: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By person, to whom they have handed their say on, and the entry."""
    hands: dict[str, int] = field(default_factory=dict)
    gave: list[dict[str, Any]] = field(default_factory=list)
    """What the handler gets of those who approved."""

    @property
    def digest(self) -> str:
        """The SHA-256 of what is asked."""
        return hashlib.sha256(_written(self.asked)).hexdigest()

    def may_decide(self, who: str) -> bool:
        """Whether somebody has a say."""
        if who.startswith("worker:") or who == self.barred:
            return False
        return self.holders is None or who in self.holders


def _written(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class ModelApprovals(ModelAlerts):
    """Requests for approval."""

    limits: Limits
    hit: Callable[[str], None]

    def __init__(self) -> None:
        super().__init__()
        self.approvals: dict[str, ModelApproval] = {}

    def _Ask(self, pending: Pending, command: Ask) -> str:  # noqa: N802 - the command's name
        job = self.jobs.get(command.number)
        if job is None or job.state != "running" or job.fence != command.fence:
            raise Refused("lost_lease")
        asked = {
            "job": job.id,
            "name": command.name,
            "occurrence": command.occurrence,
            "question": command.question,
            "subject": hashlib.sha256(command.subject).hexdigest(),
            "approvers": list(command.approvers),
            "needed": command.needed,
            "self_approval": command.self_approval,
        }
        known = job.approvals.get((command.name, command.occurrence))
        if known is not None:
            if self.approvals[known].asked != asked:
                self.hit("approval.changed")
                raise Refused("conflict")
            self.hit("approval.asked_again")
            return known
        return self._record_ask(pending, command, job, asked)

    def _record_ask(self, pending: Pending, command: Ask, job: ModelJob, asked: dict[str, Any]) -> str:
        barred = None if command.self_approval else job.whom
        holders = set(command.approvers) - {barred} if command.approvers else None
        if holders is not None and len(holders) < command.needed:
            self.hit("approval.unaskable")
            raise Refused("invalid_input")
        if sum(one.state == "open" for one in self.approvals.values()) >= self.limits.approvals_open_max:
            self.hit("approval.too_many")
            raise Refused("limit_reached")
        public_id = self._actual_value(pending)
        if not isinstance(public_id, str) or public_id in self.approvals:
            raise Refused("a new approval's id")
        self.approvals[public_id] = ModelApproval(
            public_id, job.number, asked, self._due_us(command), command.needed, barred, holders
        )
        job.approvals[command.name, command.occurrence] = public_id
        self.noted["approval.asked"] += 1
        self.hit("approval.asked")
        return public_id

    def _due_us(self, command: Ask) -> int:
        if command.seconds is not None:
            return self.at_us + int(command.seconds * 1_000_000)
        return _NEVER_US if command.until_us is None else command.until_us

    def _Vote(self, pending: Pending, command: Vote) -> int:  # noqa: N802 - the command's name
        one = self._find(command.id)
        who = pending.by.actor
        if command.digest != one.digest:
            self.hit("approval.stale_digest")
            raise Refused("conflict")
        if who in one.said:
            verdict, entry = one.said[who]
            self.hit("approval.said_again")
            if verdict != command.verdict:
                raise Refused("conflict")
            return entry
        self._check_open(one)
        self._check_say(one, pending.by)
        return self._count(one, pending, command)

    def _count(self, one: ModelApproval, pending: Pending, command: Vote) -> int:
        who, entry = pending.by.actor, self._entry(pending)
        one.said[who] = command.verdict, entry
        self.noted["approval.voted"] += 1
        if any(receiver == who for receiver, _ in one.handed.values()):
            self.hit("approval.by_delegate")
        if command.verdict == "deny":
            one.state = "denied"
        else:
            one.gave.append({"actor": who, "at_us": self.at_us, "comment": command.comment, "entry": entry})
            if len(one.gave) >= one.needed:
                one.state = "approved"
        self.hit("approval.counted" if one.state == "open" else f"approval.{one.state}")
        job = self.jobs[one.number]
        if one.state != "open" and job.state == "waiting":
            self._wake(job)
        elif one.state != "open":
            self.hit("approval.before_wait")
        return entry

    def _Delegate(self, pending: Pending, command: Delegate) -> int:  # noqa: N802 - the command's name
        one, who, to = self._find(command.id), pending.by.actor, command.to
        if who in one.handed and one.handed[who][0] == to:
            return one.handed[who][1]
        self._check_open(one)
        self._check_say(one, pending.by)
        holders = one.holders
        if holders is None or not self._may_hand(one, holders, who, to):
            self.hit("approval.delegation_refused")
            raise Refused("conflict")
        self.hit("approval.delegated")
        self.noted["approval.delegated"] += 1
        one.holders = (holders - {who}) | {to}
        one.hands[to] = max(one.hands.get(to, 0), one.hands.get(who, 0) + 1)
        entry = self._entry(pending)
        one.handed[who] = to, entry
        return entry

    def _may_hand(self, one: ModelApproval, holders: set[str], who: str, to: str) -> bool:
        """Whether one's say may go to this one."""
        is_done = who in one.said or to in one.said
        is_barred = to == one.barred or to == who or to in one.handed
        if is_done or is_barred or one.hands.get(who, 0) >= _HANDS_MAX:
            return False
        return len((holders - {who}) | {to} | one.said.keys()) >= one.needed

    def due_of(self, public_id: str) -> int:
        """Until when a request is open."""
        return self._find(public_id).due_us

    def approval_over(self, public_id: str) -> tuple[bool, bytes | None]:
        """Whether a request is over by now, and what it gives; None when it was not approved."""
        one = self.approvals[public_id]
        if one.state == "open" and one.due_us <= self.at_us:
            one.state = "expired"
            self.noted["approval.expired"] += 1
            self.hit("approval.expired")
        if one.state == "approved":
            return True, _written({"id": one.id, "digest": one.digest, "by": one.gave})
        return one.state != "open", None

    def cancel_approvals(self, job: ModelJob) -> None:
        """A job has ended: what it has asked for is of no use."""
        for public_id in job.approvals.values():
            one = self.approvals[public_id]
            if one.state == "open":
                self.hit("approval.cancelled")
                self.noted["approval.cancelled"] += 1
                one.state = "cancelled"

    def _find(self, public_id: str) -> ModelApproval:
        found = self.approvals.get(public_id)
        if found is None:
            raise Refused("not_found")
        return found

    def _check_open(self, one: ModelApproval) -> None:
        if one.state != "open":
            self.hit("approval.used")
            raise Refused("conflict")
        if one.due_us <= self.at_us:
            self.hit("approval.late")
            raise Refused("conflict")

    def _check_say(self, one: ModelApproval, by: Principal) -> None:
        if one.may_decide(by.actor):
            return
        if by.actor.startswith("worker:"):
            self.hit("approval.by_worker")
        else:
            self.hit("approval.by_requester" if by.actor == one.barred else "approval.not_allowed")
        raise Refused("not_allowed")

    def _entry(self, pending: Pending) -> int:
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry
