"""Commands about runs of workflows; `engine/commands.py` gives them out with all others."""

from __future__ import annotations

import msgspec

from sheratan.kernel.canonical import digest

__all__ = ["CancelRun", "Declaration", "ForkRun", "StartRun"]


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked workflow: its name, the SHA-256 of what was declared, and as canonical JSON what a run goes by."""

    workflow: str
    version: str
    plan: bytes
    wall_us: int

    @property
    def digest(self) -> bytes:
        """The SHA-256 under which the plan is kept."""
        return bytes.fromhex(digest(self.plan))


class StartRun(msgspec.Struct, frozen=True, kw_only=True):
    """Run a workflow; `input` is canonical JSON. Answered with the run's id, and whether its key had made it before."""

    declared: Declaration
    input: bytes
    key: str | None = None


class ForkRun(msgspec.Struct, frozen=True, kw_only=True):
    """Continue an ended run in a new one, with its declaration or another, its input or another, as canonical JSON.

    From `node` on all runs anew. Answered as StartRun is.
    """

    id: str
    node: str | None = None
    declared: Declaration | None = None
    input: bytes | None = None
    key: str | None = None


class CancelRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run is no longer wanted. With `keeps`, what its nodes have done is not compensated."""

    id: str
    reason: str
    keeps: bool
