"""The fold of entries about requests for approval."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.journal import Entry
from sheratan.kernel.approval import (
    ActFact,
    ApprovalFact,
    Terms,
    decide_quorum,
    give_approval,
    has_say,
    quorum_input,
    why_no_delegation,
)
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import Mention, OpenJob, WaitFact
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_workflows import WorkflowFold

__all__ = ["ApprovalFold"]


class ApprovalFold(WorkflowFold):
    """What each entry about a request for approval does, and what it must fit."""

    def approval_asked(self, entry: Entry) -> None:
        """A handler asks people to decide."""
        data = dict(entry.data)
        digest_said, requester, due_us = data.pop("digest"), data.pop("requester"), data.pop("due_us")
        terms = Terms(**data | {"approvers": tuple(data["approvers"])})
        if entry.subject != f"approval:{entry.seq}" or entry.previous is not None:
            self.say(entry, "E2", f"{entry.subject} is not the name of the request that is made here")
        if terms.digest() != digest_said:
            self.say(entry, "A1", "its digest is not that of what it asks")
        job = self.by_subject.get(terms.job)
        if job is None or job.state != "running":
            self.say(entry, "E3", f"{terms.job} asks, which does not run")
            return
        if requester != job.requester:
            self.say(entry, "A1", f"{job.requester} has asked for the job; the request says {requester}")
        if any(self.approvals[one].key == (terms.name, terms.occurrence) for one in job.approvals):
            self.say(entry, "A1", f"{terms.name} has asked before")
        job.approvals += (entry.seq,)
        fact = ApprovalFact(job.number, terms, requester, entry.at, due_us, "open", None, entry.seq, ())
        self.approvals[entry.seq] = fact
        self.mentions.append(Mention(job.number, entry.seq))

    def approval_voted(self, entry: Entry) -> None:
        """Somebody has approved or denied."""
        fact = self._goes_on(entry)
        data = entry.data
        if data["digest"] != fact.terms.digest():
            self.say(entry, "A1", f"it is about {data['digest']}, which is not what was asked")
        if entry.at >= fact.due_us:
            self.say(entry, "A1", f"it came at {entry.at}, and the deadline was {fact.due_us}")
        if any(act.actor == entry.actor and act.what != "delegate" for act in fact.acts):
            self.say(entry, "A1", f"{entry.actor} has decided before")
        act = ActFact(entry.seq, entry.at, entry.actor, data["verdict"], None, data["comment"])
        fact = fact._replace(acts=(*fact.acts, act))
        if not has_say(_given(fact, entry), entry.actor):
            self.say(entry, "A1", f"{entry.actor} has no say in it")
        self._quorum(entry, fact)

    def approval_delegated(self, entry: Entry) -> None:
        """Somebody has handed their say on."""
        fact, receiver = self._goes_on(entry), entry.data["to"]
        given = _given(fact, entry)
        if not has_say(given, entry.actor):
            self.say(entry, "A1", f"{entry.actor} has no say to hand on")
        reason = why_no_delegation(given, entry.actor, receiver)
        if reason is not None or entry.at >= fact.due_us:
            self.say(entry, "A1", f"it could not be handed on: {reason or 'its time is over'}")
        act = ActFact(entry.seq, entry.at, entry.actor, "delegate", receiver, entry.data["comment"])
        self._put(entry, fact._replace(acts=(*fact.acts, act)))

    def approval_expired(self, entry: Entry) -> None:
        """Nobody has decided in time."""
        self._quorum(entry, self._goes_on(entry))

    def approval_cancelled(self, entry: Entry) -> None:
        """The job that has asked has ended."""
        fact = self._goes_on(entry)
        if fact.number in self.open:
            self.say(entry, "A1", f"job {fact.number} has not ended, which has asked for it")
        self._put(entry, fact._replace(state="cancelled", ended=entry.seq))

    def check_given(self, entry: Entry, job: OpenJob, wait: WaitFact) -> None:
        """A handler gets what its request has come to, and nothing else."""
        number = int(wait.key.rpartition(":")[2])
        fact = self.approvals[number]
        if number not in job.approvals or entry.cause != fact.ended or fact.state == "open":
            self.say(entry, "A1", f"{wait.key} is over, and entry {entry.cause} does not say so")
            return
        output, error = give_approval(wait.key, fact.terms.digest(), fact.state, fact.acts)
        if output is not None:
            is_same = entry.data.get("output") == digest(output)
        else:
            is_same = entry.data.get("error", {}).get("digest") == digest(msgspec.json.encode(error))
        if not is_same:
            self.say(entry, "A1", f"it gives something else than what {wait.key} has come to")

    def _goes_on(self, entry: Entry) -> ApprovalFact:
        """The request that an entry is about, which must be open and whose last entry it must name."""
        fact = self.approvals[int(entry.subject.rpartition(":")[2])]
        if fact.state != "open":
            self.say(entry, "A1", f"{entry.subject} is {fact.state}, and nothing may follow that")
        if entry.previous != fact.newest:
            self.say(
                entry,
                "previous",
                f"entry {fact.newest} came last in this story, it names {entry.previous}",
            )
        return fact

    def _quorum(self, entry: Entry, fact: ApprovalFact) -> None:
        record, given = decision_of(entry), _given(fact, entry)
        chosen = decide_quorum(given).chosen
        if record["input"] != given:
            self.say(entry, "A1", "the decision was told something else than what has happened")
        if record["chosen"] != chosen or (chosen == "expired") != (entry.type == "approval.expired"):
            self.say(
                entry, "E14", f"{record['chosen']} was chosen, it is {chosen}, and {entry.type} was done"
            )
        if chosen != "open":
            fact = fact._replace(state=chosen, ended=entry.seq)
        self._put(entry, fact)

    def _put(self, entry: Entry, fact: ApprovalFact) -> None:
        self.approvals[int(entry.subject.rpartition(":")[2])] = fact._replace(newest=entry.seq)
        self.mentions.append(Mention(fact.number, entry.seq))


def _given(fact: ApprovalFact, entry: Entry) -> dict[str, Any]:
    return quorum_input(fact.terms, fact.requester, fact.due_us, fact.acts, entry.at)
