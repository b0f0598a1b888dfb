"""One scenario, run again and again with a crash at each point that it passes: it must come to the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeVar

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.limits import Limits
from sheratan.sdk.kind import Kind
from sheratan.testing.crashes import CrashPoint
from sheratan.testing.errors import CrashChangedOutcome
from sheratan.testing.loop import REAL_SECONDS_MAX
from sheratan.testing.run import run
from sheratan.testing.world import START, World, world

__all__ = ["crash_everywhere"]

POINTS_MAX: Final = 500
"""How many points a scenario may have: each is a run, of some hundredths of a second."""

T = TypeVar("T")
Scenario = Callable[[World], Coroutine[Any, Any, T]]


class _Ended(NamedTuple):
    """What a run came to, where it passed, and the stories of its jobs."""

    outcome: Any
    points: list[CrashPoint]
    stories: str


def crash_everywhere(
    kinds: Sequence[Kind[Any, Any] | ModuleType],
    scenario: Scenario[T],
    *,
    points_max: int = POINTS_MAX,
    real_seconds_max: float = REAL_SECONDS_MAX,
    limits: Limits | None = None,
    start: datetime | str = START,
) -> list[CrashPoint]:
    """Run a scenario undisturbed, then once per point with the worker dying there; returns the points.

    Points are just after a job was given to the worker, and just before and after each step, wait, spawn, request
    for approval and end is recorded. The scenario returns what must be the same however the worker fares, so it makes
    its stand-ins for other systems itself and returns what they have seen. Ids and instants are not the same.

    Raises CrashChangedOutcome, which names the first point with another outcome, and says what happened.
    InvalidInput names `points_max` when there are more.
    """

    def once(point: CrashPoint | None) -> _Ended:
        async def within() -> _Ended:
            async with world(kinds, limits=limits, start=start) as made:
                made._crashes.exact = point
                return await _play(made, scenario, raises=point is None)

        try:
            return run(within, real_seconds_max=real_seconds_max)
        except Exception as error:
            if point is not None:
                error.add_note(f"(when the worker dies {point})")
            raise

    undisturbed = once(None)
    points = undisturbed.points
    if len(points) > points_max:
        raise InvalidInput(f"the scenario passes {len(points)} points", field="points_max")
    for point in points:
        found = once(point)
        if found.outcome != undisturbed.outcome:
            raise CrashChangedOutcome(
                f"the outcome is another when the worker dies {point}:\n"
                f"  undisturbed: {undisturbed.outcome!r}\n"
                f"  crashed:     {found.outcome!r}\n{found.stories}"
            )
    return points


async def _play(made: World, scenario: Scenario[T], *, raises: bool) -> _Ended:
    try:
        outcome: Any = await scenario(made)
    except Exception as error:
        if raises:
            raise
        outcome = error
    # Jobs that the scenario has not waited for, and what is reported after it has heard of an end, have points, too.
    await made.settle()
    points = list(made._crashes.seen)
    stories = [f"{job.id} ({job.kind})\n{await made.why(job.id)}" for job in await made.jobs()]
    return _Ended(outcome, points, "\n".join(stories))
