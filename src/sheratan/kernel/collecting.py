"""Jobs that are collected: when they start, and which of them run together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, NamedTuple

from sheratan.kernel.routing import share_ageing, share_jobs, share_partitions
from sheratan.kernel.rules import Verdict, rule

__all__ = ["COLLECTED_ORDER", "Member", "groups_of", "share_collected", "still_collecting", "waits_until"]

COLLECTED_ORDER: Final = "dispatch.order@5"
"""The version in force for workers that offer kinds whose jobs are collected."""


class Member(NamedTuple):
    """A job that starts: its number, its lane, and how many jobs of that run together; None: each by itself."""

    number: int
    lane: Hashable
    jobs_max: int | None


def waits_until(jobs_max: int, wait_us: int, depth: int, since_us: int, at_us: int) -> int | None:
    """Until when jobs of a lane are collected whose next one is ready since an instant; None: they may start."""
    until_us = since_us + wait_us
    return None if depth >= jobs_max or until_us <= at_us else until_us


def groups_of(members: Iterable[Member]) -> list[list[int]]:
    """Which of the jobs that start run together, in the order in which they start."""
    groups: list[list[int]] = []
    filling: dict[Hashable, list[int]] = {}
    for number, lane, jobs_max in members:
        if jobs_max is None:
            continue
        if len(filling.setdefault(lane, [])) in (0, jobs_max):
            filling[lane] = []
            groups.append(filling[lane])
        filling[lane].append(number)
    return groups


@rule("dispatch.order", 5)
def share_collected(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: as version 2, 3 or 4 would; lanes that still collect are passed over.

    Input: as that of these, at_us (now), and collects (each [lane index, jobs of a group, wait_us, since_us]): the
    lanes whose jobs are collected, and since when the next job of each is ready. All of them are open.
    """
    lanes = [list(lane) for lane in given["lanes"]]
    for index in still_collecting(given):
        lanes[index][3] = "collecting"
    share = share_ageing if "ageing" in given else share_partitions if "partitions" in given else share_jobs
    return share({**given, "lanes": lanes})


def still_collecting(given: dict[str, Any]) -> set[int]:
    """The lanes of a lease call whose jobs are collected and may not start yet, by their place in its input."""
    lanes, at_us = given["lanes"], given.get("at_us", 0)
    return {
        index
        for index, jobs_max, wait_us, since_us in given.get("collects", ())
        if waits_until(jobs_max, wait_us, lanes[index][2], since_us, at_us) is not None
    }
