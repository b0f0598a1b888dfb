"""What becomes of the jobs that a handler proposes."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.proposals import Proposal, RejectionCode
from sheratan.sdk.children import Child

__all__ = ["ProposalOutcome", "Rejected"]


class Rejected(NamedTuple):
    """A proposal of which no job was made: why, as a code and as a sentence for whoever has proposed it."""

    proposal: Proposal
    code: RejectionCode
    because: str


class ProposalOutcome(NamedTuple):
    """For each proposal, in order, the job that was made of it or why none was."""

    verdicts: tuple[Child | Rejected, ...]

    @property
    def accepted(self) -> list[Child]:
        """The jobs that were made, to be waited for with `ctx.gather`."""
        return [one for one in self.verdicts if isinstance(one, Child)]

    @property
    def rejected(self) -> list[Rejected]:
        """The proposals that were not accepted."""
        return [one for one in self.verdicts if isinstance(one, Rejected)]
