"""Code that changes under running jobs: versions of a kind, and what differs from what a job has recorded."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from sheratan.contracts.patterns import CODE_DIGEST
from sheratan.contracts.request import Reason, Request

__all__ = [
    "ASKED_MAX",
    "CODE_LENGTH_MAX",
    "VERSION_MAX",
    "CodeDigest",
    "Difference",
    "UnblockJob",
    "Version",
    "versioned",
]

VERSION_MAX: Final = 1_000_000
CODE_LENGTH_MAX: Final = 64
ASKED_MAX: Final = 8
"""Steps that a difference names as asked for instead: more would not be read, and an entry has a size."""

Version = Annotated[int, msgspec.Meta(ge=1, le=VERSION_MAX)]
"""A version of a kind. Those of a higher number are newer."""

CodeDigest = Annotated[str, msgspec.Meta(max_length=CODE_LENGTH_MAX, pattern=CODE_DIGEST)]
"""What tells one state of a handler's code from another; empty when its worker does not know."""

_StepName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Difference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a handler does otherwise than what its job has recorded: step `step`, which is there as `recorded`.

    `what` says how: it has ended and never asked for it (`missing`), asks for one that was recorded later (`order`),
    asks for others that were never recorded (`other`), or what is recorded is not of its type any more (`output`).
    `asked` are the steps that it asks for instead, at most 8; for `output`, the places that do not fit.
    """

    what: Literal["missing", "order", "other", "output"]
    step: Annotated[int, msgspec.Meta(ge=1)]
    recorded: _StepName
    occurrence: Annotated[int, msgspec.Meta(ge=1)] = 1
    asked: Annotated[tuple[_StepName, ...], msgspec.Meta(max_length=ASKED_MAX)] = ()


class UnblockJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a job that is blocked because its code has changed try again; answered with the entry that records it."""

    id: str
    reason: Reason = ""


def versioned(kind: str, version: int) -> str:
    """A version of a kind by one name: `pay` is its first version, `pay@2` its second."""
    return kind if version == 1 else f"{kind}@{version}"
