"""Points at which a worker may die, and those at which it is to."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, NamedTuple

from sheratan.contracts import api
from sheratan.contracts.approvals import AskApproval
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.worker import Assignment

__all__ = ["END", "START", "CrashPoint", "Crashes", "Place", "When", "places_of"]

When = Literal["before", "after"]

START: Final = "job:start"
"""The name of the point at which a worker has got a job. Steps that handlers name have no colon."""

END: Final = "job:end"
"""The name of the point at which a worker reports how an attempt has ended."""


class Place(NamedTuple):
    """What a worker is about to tell the engine, or has been told."""

    kind: str
    job: str
    name: str


class CrashPoint(NamedTuple):
    """A point of a scenario: before or after `name` is recorded, for the `visit`-th time among the jobs of a kind."""

    kind: str
    name: str
    when: When
    visit: int

    def __str__(self) -> str:
        text = f"just {self.when} step {self.name!r} of a job of kind {self.kind!r} is recorded"
        if self.name == START:
            text = f"just after a job of kind {self.kind!r} was given to the worker"
        elif self.name == END:
            text = f"just {self.when} the end of a job of kind {self.kind!r} is recorded"
        return text if self.visit == 1 else f"{text} (point number {self.visit} of this name)"


class _Rule:
    def __init__(self, name: str, when: When, kind: str | None, times: int) -> None:
        self.name, self.when, self.kind = name, when, kind
        self.left = times

    def __str__(self) -> str:
        of = "" if self.kind is None else f" of kind {self.kind!r}"
        return f"just {self.when} {self.name!r}{of}, {self.left} more times"


class Crashes:
    """Which points were passed, and at which the worker is to die."""

    def __init__(self) -> None:
        self.seen: list[CrashPoint] = []
        """Every point that was passed, in order."""
        self.exact: CrashPoint | None = None
        """The one point at which to die."""
        self._visits: Counter[tuple[str, str, When]] = Counter()
        self._rules: list[_Rule] = []

    def add(self, name: str, when: When, kind: str | None, times: int) -> None:
        """Die at the next points of a name; InvalidInput names the argument that makes no sense."""
        if when not in ("before", "after"):
            raise InvalidInput(f'{when!r} is neither "before" nor "after"', field="when")
        if name == START and when == "before":
            raise InvalidInput(f'before {START} there is nobody to die: say "after"', field="when")
        if times < 1:
            raise InvalidInput(f"{times} is less than 1", field="times")
        self._rules.append(_Rule(name, when, kind, times))

    def passes(self, place: Place, when: When) -> bool:
        """A worker passes a point: True when it is to die there."""
        key = (place.kind, place.name, when)
        self._visits[key] += 1
        point = CrashPoint(*key, self._visits[key])
        self.seen.append(point)
        if point == self.exact:
            self.exact = None
            return True
        for rule in self._rules:
            if rule.left and (rule.name, rule.when) == (place.name, when) and rule.kind in (None, place.kind):
                rule.left -= 1
                return True
        return False

    def missed(self) -> list[str]:
        """The crashes that were asked for and did not come."""
        missed = [str(rule) for rule in self._rules if rule.left]
        return missed if self.exact is None else [*missed, str(self.exact)]


def places_of(request: api.Request, held: dict[int, Assignment]) -> list[Place]:
    """What a worker's request records, job by job; `held` are the worker's jobs by their fence."""
    named: list[tuple[int, str]] = []
    if isinstance(request, api.RecordSteps):
        named = [(step.fence, step.name) for step in request.steps]
    elif isinstance(request, api.SpawnJobs | api.ProposeJobs | AskApproval):
        named = [(request.fence, request.name)]
    elif isinstance(request, api.SettleJobs):
        for report in request.reports:
            if report.outcome == "waiting":
                named.append((report.fence, report.waits[0].name))
            elif report.outcome != "released":
                named.append((report.fence, END))
    return [Place(held[fence].kind, held[fence].id, name) for fence, name in named if fence in held]
