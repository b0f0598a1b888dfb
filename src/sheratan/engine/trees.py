"""Trees: a job that has proposed others, and all that descends from it since; they share one budget."""

from __future__ import annotations

from collections.abc import Iterable

from sheratan.engine.batch import Batch
from sheratan.store.proposal_rows import MemberRow, TreeRow
from sheratan.store.rows import JobRow, Result

__all__ = ["find_member", "find_tree", "join", "leave"]


def find_member(batch: Batch, number: int) -> MemberRow | None:
    """What a job is in its tree, if it belongs to one, as of this batch."""
    changed = batch.unit.proposals.members
    if number in changed or not batch.state.trees:
        return changed.get(number)
    return next(iter(batch.state.store.tree_members([number])), None)


def find_tree(batch: Batch, root: int) -> TreeRow:
    """A tree that has open jobs, as of this batch."""
    tree = batch.unit.proposals.trees.get(root) or batch.state.store.tree(root)
    assert tree is not None, "a job that belongs to a tree is open, and so is the tree"
    return tree


def join(batch: Batch, member: MemberRow, numbers: Iterable[int], depth: int) -> None:
    """New jobs belong to the tree of the job that has submitted them."""
    changes, tree = batch.unit.proposals, find_tree(batch, member.root)
    rows = {number: MemberRow(number, tree.root, depth, 0, 0) for number in numbers}
    changes.members.update(rows)
    changes.trees[tree.root] = tree._replace(members=tree.members + len(rows))


def leave(batch: Batch, ended: list[tuple[JobRow, Result]]) -> set[int]:
    """Jobs have ended; returns those of them of whose proposals jobs were made. A tree without open jobs is over."""
    changes = batch.unit.proposals
    numbers = [job.number for job, _ in ended]
    found = {row.number: row for row in batch.state.store.tree_members(numbers)}
    found |= {number: row for number in numbers if (row := changes.members.get(number)) is not None}
    for member in found.values():
        tree = find_tree(batch, member.root)
        changes.members[member.number] = None
        if tree.members > 1:
            changes.trees[tree.root] = tree._replace(members=tree.members - 1)
        else:
            changes.trees[tree.root] = None
            batch.state.trees -= 1
    return {member.number for member in found.values() if member.made}
