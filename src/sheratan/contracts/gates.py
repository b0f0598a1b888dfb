"""Gates: what decides at its submission, by a key, whether a job is made and when it starts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import Submission
from sheratan.contracts.request import Request

__all__ = ["THROTTLE_JOBS_MAX", "Debounce", "Gate", "SubmitGated", "Throttle"]

THROTTLE_JOBS_MAX = 1_000_000

GateKey = Annotated[str, msgspec.Meta(min_length=1)]
GateSeconds = Annotated[float, msgspec.Meta(gt=0)]


class Debounce(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False, tag="debounce"
):
    """Of submissions of a kind that come shortly one after the other under a key, the last one runs.

    Each makes a job that starts after `window_seconds`, and takes the place of the one that still waits, which is
    cancelled. However many come, one starts `longest_seconds` after the first of them, if that is given.
    """

    key: GateKey
    window_seconds: GateSeconds
    longest_seconds: GateSeconds | None = None


class Throttle(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False, tag="throttle"
):
    """Of submissions of a kind under a key, the first ones of a period make jobs, the others are dropped.

    A period begins with a submission that makes a job when none goes on. Whoever is dropped gets the newest job's id.
    """

    key: GateKey
    period_seconds: GateSeconds
    jobs: Annotated[int, msgspec.Meta(ge=1, le=THROTTLE_JOBS_MAX)] = 1


Gate = Debounce | Throttle


class SubmitGated(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Submit a job that has to pass a gate. With `by_job` and `fence` a running job submits it."""

    job: Submission
    gate: Gate
    by_job: int | None = None
    fence: int | None = None
