"""Rows of trees: a job that has proposed others, all that descends from it since, and the budget that they share."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MadeRow", "MemberRow", "ProposalChanges", "TreeRow"]


class TreeRow(NamedTuple):
    """A tree with open jobs, by its root: the run that it counts for (0: none), its budget and what is used of it."""

    root: int
    run: int
    began_us: int
    jobs_max: int
    depth_max: int
    wall_us: int
    stalls_after: int
    jobs: int
    """How many jobs were made of proposals."""
    members: int
    """How many of its jobs are open."""


class MemberRow(NamedTuple):
    """An open job of a tree: how deep it is, how many jobs were made of its proposals.

    `fruitless` is how many of its calls in a row made none.
    """

    number: int
    root: int
    depth: int
    made: int
    fruitless: int


class MadeRow(NamedTuple):
    """The job that was made in a tree of a kind and input; `likeness` is the SHA-256 of both."""

    root: int
    likeness: bytes
    number: int


class ProposalChanges:
    """Everything about trees that one batch changes; None for what is over."""

    def __init__(self) -> None:
        self.trees: dict[int, TreeRow | None] = {}
        self.members: dict[int, MemberRow | None] = {}
        self.made: dict[tuple[int, bytes], MadeRow] = {}
