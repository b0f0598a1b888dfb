"""What the engine asks of a database about proposals."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sheratan.store.proposal_rows import MadeRow, MemberRow, TreeRow

__all__ = ["ProposalReader"]


class ProposalReader(Protocol):
    """Reads of trees: jobs that have proposed others, and all that descends from them."""

    def tree_count(self) -> int:
        """How many trees have open jobs."""
        ...

    def tree(self, root: int) -> TreeRow | None:
        """A tree that has open jobs."""
        ...

    def tree_members(self, numbers: Collection[int]) -> list[MemberRow]:
        """Those of these jobs that belong to trees."""
        ...

    def made(self, root: int, likeness: bytes) -> MadeRow | None:
        """The job that was made in a tree of a kind and input."""
        ...

    def all_trees(self) -> list[TreeRow]:
        """Every tree that has open jobs."""
        ...

    def all_tree_members(self) -> list[MemberRow]:
        """Every open job that belongs to a tree."""
        ...

    def all_made(self) -> list[MadeRow]:
        """Every job that was made of a proposal in a tree that has open jobs."""
        ...
