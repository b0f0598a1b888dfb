"""The fold of entries about code: what workers on duty have, and jobs that are blocked because it has changed."""

from __future__ import annotations

from sheratan.contracts.code import versioned
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_proposals import ProposalFold

__all__ = ["CodeFold"]


class CodeFold(ProposalFold):
    """What each entry about changed code does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.offers: dict[int, dict[str, str]] = {}
        """By session on duty, the versions of kinds that it offers, each with its code."""

    def came_on_duty(self, entry: Entry) -> None:
        """A worker offers kinds."""
        codes = entry.data.get("codes", {})
        self.offers[entry.seq] = {kind: codes.get(kind, "") for kind in entry.data["kinds"]}

    def blocked(self, entry: Entry, job: OpenJob) -> None:
        """An attempt has found that its code has changed: its job is blocked."""
        data = entry.data
        self.check_fence(entry, job, decision_of(entry))
        self.check_attempt(entry, job, data["attempt"])
        code = self.offers.get(job.session, {}).get(versioned(job.kind, job.version))
        if data["code"] != code:
            self.say(
                entry, "E14", f"its worker has the code {code!r}, and {data['code']!r} is said to block it"
            )
        self.go(entry, job, "blocked")
        job.blocking = tuple(sorted({*job.blocking, data["code"]}))
        job.is_code_changed, job.since_us = True, entry.at

    def unblocked(self, entry: Entry, job: OpenJob) -> None:
        """A job whose code has changed tries again."""
        decided = decision_of(entry)
        given, kind = decided["input"], versioned(job.kind, job.version)
        on_duty = sorted({offered[kind] for offered in self.offers.values() if kind in offered})
        if decided["chosen"] != "unblock" or not decided["rule"].startswith("code.unblock@"):
            self.say(entry, "E14", "no decision has unblocked it")
        if (given["blocked_by"], given["on_duty"]) != ([*job.blocking], on_duty):
            text = "it is blocked by {}, and {} are on duty; the decision was told {} and {}"
            told = (given["blocked_by"], given["on_duty"])
            self.say(entry, "E14", text.format([*job.blocking], on_duty, *told))
        self.check_attempt(entry, job, entry.data["attempt"])
        self.go(entry, job, "queued")
        job.is_code_changed, job.since_us = False, entry.at
