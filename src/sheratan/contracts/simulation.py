"""What a simulation says: one run of a seed, and a campaign of many."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["SEEDS_THAT_REACH_ALL", "Campaign", "SimulatedRun"]

SEEDS_THAT_REACH_ALL: Final = 300
"""So many seeds reach every promised fault and every rare branch."""


class SimulatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The run of one seed.

    `digest` is the SHA-256 of all that happened: the same seed and code give the same one. `options` are what the
    seed drew for its world. `violation` is the promise that was broken, None when none was. `seconds` are the
    world's own. `story` is told where it was asked for.
    """

    seed: int
    violation: str | None
    digest: str
    options: dict[str, Any]
    jobs: int
    entries: int
    seconds: float
    coverage: dict[str, int]
    story: list[str] = []


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """Many seeds. `coverage` counts every promised fault and rare branch; `missing` are those never reached.

    `not_repeated` are seeds whose second run gave another digest. `elapsed_seconds` are the host's.
    """

    first_seed: int
    seeds: int
    failures: list[SimulatedRun]
    not_repeated: list[int]
    coverage: dict[str, int]
    missing: list[str]
    jobs: int
    entries: int
    world_seconds: float
    elapsed_seconds: float

    @property
    def ok(self) -> bool:
        """Whether every promise was kept, every seed repeated itself, and nothing promised went untried.

        A few seeds cannot reach everything: what is missing counts from 300 of them on.
        """
        is_whole = self.seeds >= SEEDS_THAT_REACH_ALL
        return not (self.failures or self.not_repeated or (is_whole and self.missing))
