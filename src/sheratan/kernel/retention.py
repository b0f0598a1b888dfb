"""When are jobs that have ended pruned? And numbers of jobs as ranges, which is how entries tell of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["PRUNE", "decide_prune", "ranges_of", "subject_of", "within"]

PRUNE: Final = "retention.prune@1"


@rule("retention.prune", 1)
def decide_prune(given: dict[str, Any]) -> Verdict:
    """Choose `prune` or `keep`.

    Input: jobs (how many), keep_us (how long they are kept), newest_us (when the last of them ended), now_us.
    """
    over_us = given["now_us"] - given["newest_us"] - given["keep_us"]
    jobs, kept = count(given["jobs"], "job"), seconds(given["keep_us"])
    if over_us < 0:
        return Verdict("keep", f"Kept {jobs}, of which the last one ended less than {kept} ago.")
    return Verdict(
        "prune", f"Pruned {jobs} that had ended {kept} before or earlier, and that nothing open needs."
    )


def subject_of(kind: str) -> str:
    """The subject of the entries about how long jobs of a kind are kept; '' is all kinds that nothing is set for."""
    return f"retention:{kind}" if kind else "retention"


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
                f"[{first}, {end}] is no range of jobs that follows job {last}", field="numbers"
            )
        numbers.extend(range(first, end + 1))
        last = end
    return numbers
