"""Who may decide a request for approval, what their votes come to, and what its handler gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sheratan.contracts.approvals import DELEGATIONS_MAX
from sheratan.contracts.jobs import JobError
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = [
    "QUORUM",
    "ActFact",
    "ApprovalFact",
    "Terms",
    "decide_quorum",
    "give_approval",
    "has_say",
    "people",
    "quorum_input",
    "why_no_delegation",
]

QUORUM = "approval.quorum@1"

_MACHINES: Final = ("worker:", "engine", "job_")
"""How the names of those begin who are no people: they never decide, whoever named them."""


class Terms(NamedTuple):
    """What is asked, of whom. `subject` is the SHA-256 of the canonical value that is to be approved."""

    job: str
    name: str
    occurrence: int
    question: str
    subject: str
    approvers: tuple[str, ...]
    needed: int
    self_approval: bool

    def digest(self) -> str:
        """The SHA-256 of all this as canonical JSON (RFC 8785): a vote names it, and counts for nothing else."""
        return digest(canonical(self._asdict() | {"approvers": list(self.approvers)}))


class ActFact(NamedTuple):
    """A vote (`approve`, `deny`) or a delegation (`delegate`, with the `receiver`), under its entry."""

    entry: int
    at_us: int
    actor: str
    what: str
    receiver: str | None
    comment: str


class ApprovalFact(NamedTuple):
    """A request for approval: whose, what, for whom the job was asked for, until when, and what has become of it."""

    number: int
    terms: Terms
    requester: str
    asked_us: int
    due_us: int
    state: str
    ended: int | None
    newest: int
    acts: tuple[ActFact, ...]

    @property
    def key(self) -> tuple[str, int]:
        """Which step of its job it will be."""
        return self.terms.name, self.terms.occurrence


def quorum_input(
    terms: Terms, requester: str, due_us: int, acts: Sequence[ActFact], at_us: int
) -> dict[str, Any]:
    """What the quorum rule is told."""
    return {
        "approvers": list(terms.approvers),
        "needed": terms.needed,
        "requester": requester,
        "self_approval": terms.self_approval,
        "delegations": [[act.actor, act.receiver] for act in acts if act.what == "delegate"],
        "votes": [[act.actor, act.what, act.at_us] for act in acts if act.what != "delegate"],
        "at_us": at_us,
        "due_us": due_us,
    }


@rule("approval.quorum", 1)
def decide_quorum(given: dict[str, Any]) -> Verdict:
    """Choose `open`, `approved`, `denied` or `expired`.

    Input: approvers (none: anyone), needed (how many must approve), requester, self_approval (whether the requester
    counts, too), delegations (giver and receiver, in order), votes (voter, `approve` or `deny`, instant), at_us,
    due_us. One denial denies. A vote counts once per person, in time, and only of whoever has a say.
    """
    counted: dict[str, str] = {}
    for voter, verdict, at_us in given["votes"]:
        if at_us < given["due_us"] and has_say(given, voter):
            counted.setdefault(voter, verdict)
    denied = [voter for voter, verdict in counted.items() if verdict == "deny"]
    if denied:
        return Verdict("denied", f"Denied by {denied[0]}: one denial is enough.")
    of = f"{len(counted)} of {given['needed']} approvals"
    if len(counted) >= given["needed"]:
        return Verdict("approved", f"Approved by {' and '.join(counted)}: {of}.")
    if given["at_us"] >= given["due_us"]:
        return Verdict("expired", f"Its time is over with {of}.")
    return Verdict("open", f"Still open with {of}.")


def has_say(given: dict[str, Any], who: str) -> bool:
    """Whether somebody may decide, by the input of the quorum rule."""
    if who.startswith(_MACHINES) or (who == given["requester"] and not given["self_approval"]):
        return False
    return not given["approvers"] or who in people(given)


def people(given: dict[str, Any]) -> list[str]:
    """Those who hold the says of the approvers that are named: themselves, or to whom they were handed on."""
    successors = dict(given["delegations"])
    found: dict[str, None] = {}
    for approver in given["approvers"]:
        if approver == given["requester"] and not given["self_approval"]:
            continue
        who = approver
        for _ in range(DELEGATIONS_MAX):
            who = successors.get(who, who)
        found[who] = None
    return list(found)


def why_no_delegation(given: dict[str, Any], giver: str, receiver: str) -> str | None:
    """Why somebody may not hand their say on to this one, if so. No say comes back to whoever has handed it on."""
    voted = {voter for voter, *_ in given["votes"]}
    if not given["approvers"]:
        return "anyone may decide, so there is nothing to hand on"
    if giver in voted:
        return f"{giver} has decided already"
    reason = _why_not_to(given, giver, receiver, voted)
    if reason is not None:
        return reason
    if _hands(given["delegations"], giver) >= DELEGATIONS_MAX:
        return f"it has gone through {DELEGATIONS_MAX} hands; deny it, or decide"
    after = given | {"delegations": [*given["delegations"], [giver, receiver]]}
    left = voted | set(people(after))
    if len(left) < given["needed"]:
        who = count(len(left), "person")
        return f"only {who} would be left to decide, and {given['needed']} must approve"
    return None


def _why_not_to(given: dict[str, Any], giver: str, receiver: str, voted: set[str]) -> str | None:
    if receiver.startswith(_MACHINES):
        return f"{receiver} is no person"
    if receiver == given["requester"] and not given["self_approval"]:
        return f"{receiver} has asked for the job and may not decide"
    if receiver == giver or receiver in dict(given["delegations"]):
        return f"{receiver} has handed on their say, or is handing it on now"
    if receiver in voted:
        return f"{receiver} has decided already, and nobody counts twice"
    return None


def _hands(delegations: Sequence[Sequence[str]], who: str) -> int:
    """Through how many hands the say has gone that somebody holds."""
    hands = {who: 0}
    for giver, receiver in delegations:
        hands[receiver] = max(hands.get(receiver, 0), hands.get(giver, 0) + 1)
    return hands[who]


def give_approval(
    public_id: str, asked: str, state: str, acts: Sequence[ActFact]
) -> tuple[bytes | None, JobError | None]:
    """What a request that has ended gives its handler: who approved it, or how it failed. `asked` is its digest."""
    if state == "approved":
        by = [
            {"actor": act.actor, "at_us": act.at_us, "comment": act.comment, "entry": act.entry}
            for act in acts
            if act.what == "approve"
        ]
        return canonical({"id": public_id, "digest": asked, "by": by}), None
    if state == "denied":
        act = next(act for act in acts if act.what == "deny")
        because = f": {act.comment}" if act.comment else ""
        return None, _error("ApprovalDenied", f"{act.actor} has denied {public_id}{because}")
    return None, _error("ApprovalExpired", f"{public_id} was not decided in time")


def _error(name: str, message: str) -> JobError:
    return JobError(error_class="fatal", type=name, message=message)
