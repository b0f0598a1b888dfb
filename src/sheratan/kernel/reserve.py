"""Places kept for what matters: of those that there are, each criticality leaves a part to what is more critical."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.jobs import CRITICALITIES, Criticality

__all__ = ["queue_places", "ranked_places"]

_PART: Final = 5
"""Each criticality leaves one of so many parts; of fewer places than this there is no part to leave."""

_NORMAL: Final = CRITICALITIES.index("normal")


def ranked_places(places: int, below: int) -> int:
    """How many places what is so many criticalities `below` that of the bound may take; above it, it is negative."""
    return places - below * (places // _PART)


def queue_places(bound: int, criticality: Criticality) -> int:
    """How many jobs may be ready in a queue for one more to come in.

    The bound is that of normal jobs, which nobody has said anything of: the reserve comes on top of it.
    """
    return ranked_places(bound, _NORMAL - CRITICALITIES.index(criticality))
