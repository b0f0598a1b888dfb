"""Trees of jobs that have proposed others: their rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from itertools import starmap

import apsw

from sheratan.store.proposal_rows import MadeRow, MemberRow, ProposalChanges, TreeRow
from sheratan.store.sqlite.scans import SqliteScans
from sheratan.store.sqlite.statements import delete_rows, insert_rows

__all__ = ["SqliteProposals", "write_proposals"]


class SqliteProposals(SqliteScans):
    """Reads of trees."""

    def tree_count(self) -> int:
        """How many trees have open jobs."""
        count: int = self._one("select_proposal_tree_count", ())[0]
        return count

    def tree(self, root: int) -> TreeRow | None:
        """A tree that has open jobs."""
        return next(starmap(TreeRow, self._rows("select_proposal_tree", (root,))), None)

    def tree_members(self, numbers: Collection[int]) -> list[MemberRow]:
        """Those of these jobs that belong to trees."""
        return list(starmap(MemberRow, self._rows("select_proposal_members", (json.dumps(list(numbers)),))))

    def made(self, root: int, likeness: bytes) -> MadeRow | None:
        """The job that was made in a tree of a kind and input."""
        return next(starmap(MadeRow, self._rows("select_proposal_made", (root, likeness))), None)

    def all_trees(self) -> list[TreeRow]:
        """Every tree that has open jobs."""
        return list(starmap(TreeRow, self._rows("select_proposal_trees")))

    def all_tree_members(self) -> list[MemberRow]:
        """Every open job that belongs to a tree."""
        return list(starmap(MemberRow, self._rows("select_all_proposal_members")))

    def all_made(self) -> list[MadeRow]:
        """Every job that was made of a proposal in a tree that has open jobs."""
        return list(starmap(MadeRow, self._rows("select_all_proposal_made")))


def write_proposals(connection: apsw.Connection, changes: ProposalChanges) -> None:
    """Write what a batch changes of trees; nothing is left of one that has no open jobs any more."""
    if not (changes.trees or changes.members):
        return
    insert_rows(connection, "replace_proposal_tree", [row for row in changes.trees.values() if row])
    insert_rows(connection, "replace_proposal_member", [row for row in changes.members.values() if row])
    insert_rows(connection, "insert_proposal_made", list(changes.made.values()))
    over = _over(changes.trees)
    delete_rows(connection, "delete_proposal_tree", over)
    delete_rows(connection, "delete_proposal_made", over)
    delete_rows(connection, "delete_proposal_member", _over(changes.members))


def _over(rows: Mapping[int, object]) -> list[tuple[int]]:
    return [(number,) for number, row in rows.items() if row is None]
