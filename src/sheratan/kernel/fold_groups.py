"""The fold of leases by workers that collect jobs: when these may start, and which of them run together."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.code import versioned
from sheratan.contracts.journal import Entry
from sheratan.kernel.collecting import Member, groups_of, waits_until
from sheratan.kernel.facts import OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_gates import GateFold

__all__ = ["GroupFold"]

_Lane = tuple[str, str]


class GroupFold(GateFold):
    """Whether what is collected starts in groups, as the workers that were given it have asked for."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.collects: dict[int, dict[str, list[int]]] = {}
        """By session on duty, the versions of kinds that it collects: jobs of a group, and how long the next waits."""

    def check_groups(self, entry: Entry) -> None:
        """A worker is about to be given jobs."""
        wanted = self.collects.get(int(entry.subject.rpartition("/")[2]), {})
        lanes: dict[_Lane, list[OpenJob]] = {}
        members: list[Member] = []
        for number, *_ in entry.data["jobs"]:
            job = self.open.get(number)
            if job is not None:
                lane = _lane(job)
                lanes.setdefault(lane, []).append(job)
                members.append(Member(number, lane, wanted[lane[1]][0] if lane[1] in wanted else None))
        told, meant = entry.data.get("groups", []), groups_of(members)
        if told != meant:
            self.say(entry, "F2", f"the groups are {told}; by what the worker collects they are {meant}")
        for lane, jobs in lanes.items():
            if lane[1] in wanted:
                self._check_collected(entry, lane, jobs, wanted[lane[1]])

    def _check_collected(self, entry: Entry, lane: _Lane, jobs: list[OpenJob], wanted: list[int]) -> None:
        """The jobs of a lane start because there are enough, or because the next one has waited for long enough."""
        given = decision_of(entry)["input"]
        lanes: list[list[Any]] = given["lanes"]
        told = next((one for one in given.get("collects", ()) if (*lanes[one[0]][:2],) == lane), None)
        if told is None or told[1:3] != wanted:
            self.say(entry, "F2", f"the decision was told {told}, and the worker collects {wanted}")
            return
        index, jobs_max, wait_us, since_us = told
        depth: int = lanes[index][2]
        if waits_until(jobs_max, wait_us, depth, since_us, entry.at) is not None:
            self.say(entry, "F2", f"{depth} jobs start since {since_us}, which are still collected")
        if len(jobs) == depth < jobs_max and since_us not in {job.since_us for job in jobs}:
            self.say(entry, "F2", f"none of the jobs that start is ready since {since_us}")


def _lane(job: OpenJob) -> _Lane:
    return job.queue, job.kind if job.version == 1 else versioned(job.kind, job.version)
