"""Recorded decisions derived again: the same input, by the same rule, must give the same verdict, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import NotFound
from sheratan.contracts.journal import Entry
from sheratan.kernel import (
    admission,
    advance,
    alerting,
    approval,
    archiving,
    code,
    collecting,
    dead_letters,
    dependency,
    firing,
    fork,
    gates,
    health,
    job_budget,
    ledger,
    margin,
    outcome,
    proposals,
    recovery,
    retention,
    retry,
    routing,
    run_budget,
    system,
)
from sheratan.kernel.rules import Rule, Verdict, find_rule

__all__ = ["RULE_MODULES", "Difference", "Replayer", "RuleCount"]

RULE_MODULES: Final = (
    admission,
    advance,
    alerting,
    approval,
    archiving,
    code,
    collecting,
    dead_letters,
    dependency,
    firing,
    fork,
    gates,
    health,
    job_budget,
    ledger,
    margin,
    outcome,
    proposals,
    recovery,
    retention,
    retry,
    routing,
    run_budget,
    system,
)
"""A rule is registered when its module is loaded; these are all of them."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Difference(msgspec.Struct, frozen=True):
    """A decision that comes out otherwise: the entry, the recorded rule, the rule that was asked, both verdicts.

    `derived` is None when the rule is unknown or could not use the input; `text` says so.
    """

    seq: int
    rule: str
    asked: str
    stored: dict[str, Any]
    derived: dict[str, Any] | None
    text: str


class RuleCount(msgspec.Struct):
    """Of one recorded rule: how many decisions, and how many of them come out otherwise."""

    decisions: int = 0
    different: int = 0


class Replayer:
    """Derives decisions again and counts.

    `rules` are looked up first, by `name@version`; what is not there is looked up in the registry. `instead` maps
    a recorded rule, by `name@version` or `name` for every version, to the rule that is to be asked in its place.
    """

    def __init__(
        self, rules: Mapping[str, Rule] | None = None, instead: Mapping[str, str] | None = None
    ) -> None:
        self._rules = dict(rules or {})
        self._instead = dict(instead or {})
        self.counts: dict[str, RuleCount] = {}
        for asked in self._instead.values():
            # A typing error must not look like a rule under which everything differs.
            self._find(asked)

    def check(self, entry: Entry) -> Difference | None:
        """Derive an entry's decision again; None when it comes out the same, or there is none."""
        recorded = entry.decision
        if recorded is None:
            return None
        key = str(recorded.get("rule"))
        count = self.counts.get(key)
        if count is None:
            count = self.counts[key] = RuleCount()
        count.decisions += 1
        asked = self._asked(key)
        stored = _part(recorded.get("chosen"), recorded.get("because"), recorded.get("rejected"))
        try:
            verdict = self._find(asked)(recorded["input"])
        except NotFound as error:
            difference = Difference(entry.seq, key, asked, stored, None, str(error))
        except Exception as error:
            # An old input may lack what a newer rule reads, and a damaged one may lack anything.
            text = f"the rule could not use the recorded input: {type(error).__name__}: {error}"
            difference = Difference(entry.seq, key, asked, stored, None, text)
        else:
            derived = _derived(verdict)
            if _encode(derived) == _encode(stored):
                return None
            difference = Difference(entry.seq, key, asked, stored, derived, _which(stored, derived))
        count.different += 1
        return difference

    def _asked(self, key: str) -> str:
        if not self._instead:
            return key
        return self._instead.get(key) or self._instead.get(key.partition("@")[0]) or key

    def _find(self, key: str) -> Rule:
        return self._rules.get(key) or find_rule(key)


def _part(chosen: Any, because: Any, rejected: Any) -> dict[str, Any]:
    return {"chosen": chosen, "because": because, "rejected": rejected}


def _derived(verdict: Verdict) -> dict[str, Any]:
    return _part(verdict.chosen, verdict.because, verdict.rejected or None)


def _which(stored: dict[str, Any], derived: dict[str, Any]) -> str:
    names = [name for name, value in stored.items() if _encode(value) != _encode(derived[name])]
    return f"{' and '.join(names)} differ" + ("s" if len(names) == 1 else "")
