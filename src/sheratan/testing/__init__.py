"""Tests of handlers and workflows: the real engine, store and worker, in virtual time, with crashes on demand."""

from __future__ import annotations

from sheratan.testing.crashes import CrashPoint, When
from sheratan.testing.errors import (
    CrashChangedOutcome,
    CrashNotReached,
    HandlerBlocked,
    NoRealIO,
    NothingLeft,
    ProofFailed,
    TooSlow,
    WorldError,
)
from sheratan.testing.everywhere import crash_everywhere
from sheratan.testing.loop import VirtualLoop
from sheratan.testing.run import in_world, run
from sheratan.testing.world import StepRun, World, world

__all__ = [
    "CrashChangedOutcome",
    "CrashNotReached",
    "CrashPoint",
    "HandlerBlocked",
    "NoRealIO",
    "NothingLeft",
    "ProofFailed",
    "StepRun",
    "TooSlow",
    "VirtualLoop",
    "When",
    "World",
    "WorldError",
    "crash_everywhere",
    "in_world",
    "run",
    "world",
]
