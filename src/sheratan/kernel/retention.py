"""When are jobs and runs that have ended pruned? And numbers as ranges, which is how entries tell of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = [
    "OTHER_RUNS",
    "PRUNE",
    "PRUNE_RUNS",
    "decide_prune",
    "decide_prune_runs",
    "is_of_runs",
    "ranges_of",
    "scope_of_run",
    "subject_of",
    "within",
    "workflow_of",
]

PRUNE: Final = "retention.prune@1"
PRUNE_RUNS: Final = "retention.prune_runs@1"

OTHER_RUNS: Final = "workflow:"
"""The scope of the runs of all workflows that nothing is set for. The name of a workflow behind it makes its own.

The scope of jobs is the name of a kind, which has no colon, or '' for all kinds that nothing is set for.
"""


@rule("retention.prune", 1)
def decide_prune(given: dict[str, Any]) -> Verdict:
    """Choose `prune` or `keep`.

    Input: jobs (how many), keep_us (how long they are kept), newest_us (when the last of them ended), now_us.
    """
    return _decide(given, count(given["jobs"], "job"), "that nothing open needs")


@rule("retention.prune_runs", 1)
def decide_prune_runs(given: dict[str, Any]) -> Verdict:
    """Choose `prune` or `keep`.

    Input: runs (how many), keep_us (how long they are kept), newest_us (when the last of them ended), now_us.
    """
    return _decide(given, count(given["runs"], "run"), "whose jobs were pruned")


def _decide(given: dict[str, Any], what: str, why: str) -> Verdict:
    kept = seconds(given["keep_us"])
    if given["now_us"] - given["newest_us"] < given["keep_us"]:
        return Verdict("keep", f"Kept {what}, of which the last one ended less than {kept} ago.")
    return Verdict("prune", f"Pruned {what} that had ended {kept} before or earlier, and {why}.")


def subject_of(scope: str) -> str:
    """The subject of the entries about how long the jobs or runs of a scope are kept."""
    return f"retention:{scope}" if scope else "retention"


def scope_of_run(workflow: str) -> str:
    """The scope of the runs of a workflow."""
    return OTHER_RUNS + workflow


def is_of_runs(scope: str) -> bool:
    """Whether a scope is one of runs."""
    return scope.startswith(OTHER_RUNS)


def workflow_of(scope: str) -> str:
    """The workflow whose runs a scope is of; '' for the runs of all that nothing is set for."""
    return scope.removeprefix(OTHER_RUNS)


def ranges_of(numbers: Iterable[int]) -> list[list[int]]:
    """Ascending numbers as ranges: the first and the last number of each."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def within(ranges: list[list[int]], newest: int) -> list[int]:
    """The numbers of these ranges, which ascend up to `newest`; InvalidInput when they do not."""
    numbers: list[int] = []
    last = 0
    for first, end in ranges:
        if not last < first <= end <= newest:
            raise InvalidInput(
                f"[{first}, {end}] is no range of numbers that follows {last}", field="numbers"
            )
        numbers.extend(range(first, end + 1))
        last = end
    return numbers
