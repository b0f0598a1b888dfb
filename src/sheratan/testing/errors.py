"""What a test may be told by its world."""

from __future__ import annotations

from sheratan.sdk.errors import Fatal

__all__ = [
    "CrashChangedOutcome",
    "CrashNotReached",
    "HandlerBlocked",
    "NoRealIO",
    "NothingLeft",
    "ProofFailed",
    "TooSlow",
    "WorldError",
]


class WorldError(Exception):
    """The world cannot go on as the test wants it to."""


class NothingLeft(WorldError):
    """Everybody waits, and nothing is left to happen: what the test waits for never comes."""


class TooSlow(WorldError):
    """The test has taken more real time than it may (`real_seconds_max`): a thread that hangs, or an endless loop."""


class NoRealIO(Fatal):
    """Code on the virtual loop asks for sockets, pipes or subprocesses, whose real time cannot be skipped.

    It is Fatal, so that a job whose handler does it fails at once and says so.
    """


class ProofFailed(WorldError, AssertionError):
    """The journal that the test has left does not verify, or a decision in it comes out otherwise."""


class HandlerBlocked(WorldError, AssertionError):
    """An async handler has held up the event loop for longer than `blocked_seconds`; the message says where."""


class CrashNotReached(WorldError, AssertionError):
    """The world has come to its end, and nobody came by a crash that `crash_at` had asked for."""


class CrashChangedOutcome(WorldError, AssertionError):
    """A scenario has another outcome when its worker dies at a certain point."""
