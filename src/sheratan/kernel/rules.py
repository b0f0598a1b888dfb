"""The registry of decision rules.

A rule is a pure function with a name and a version (`retry.backoff@1`). It gets a small input of JSON values
without floats and returns a verdict. The input is stored in the journal with the verdict, so any decision can be
derived again; a changed rule is a new version and the old versions stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import InternalError, NotFound

__all__ = ["Rule", "Verdict", "decision", "find_rule", "registered_rules", "rule"]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a rule says: the option `chosen`, one sentence `because`, and the options that lost with their reasons."""

    chosen: Any
    because: str
    rejected: list[list[Any]] | None = None


RuleInput = dict[str, Any]
Rule = Callable[[RuleInput], Verdict]

_RULES: Final[dict[str, Rule]] = {}


def rule(name: str, version: int) -> Callable[[Rule], Rule]:
    """Register a pure function as `name@version`."""
    key = f"{name}@{version}"

    def register(function: Rule) -> Rule:
        if key in _RULES:
            raise InternalError(f"rule {key} is defined twice")
        _RULES[key] = function
        return function

    return register


def find_rule(key: str) -> Rule:
    """The rule registered as `name@version`."""
    try:
        return _RULES[key]
    except KeyError:
        raise NotFound(f"no rule {key!r}; this release has {', '.join(_RULES)}", field="rule") from None


def registered_rules() -> dict[str, Rule]:
    """Every rule by its key."""
    return dict(_RULES)


def decision(key: str, given: RuleInput, verdict: Verdict) -> dict[str, Any]:
    """The decision record: rule, input, choice, sentence and what lost."""
    record: dict[str, Any] = {
        "rule": key,
        "input": given,
        "chosen": verdict.chosen,
        "because": verdict.because,
    }
    if verdict.rejected:
        record["rejected"] = verdict.rejected
    return record
