"""Reads of proposals for people and programs."""

from __future__ import annotations

from sheratan.contracts.budgets import ProposalCall, ProposalUse
from sheratan.contracts.errors import Archived, CorruptData
from sheratan.engine.entries import read_entry
from sheratan.engine.ids import ids_of
from sheratan.kernel.proposals import ACCEPTED
from sheratan.store.port import Reader

__all__ = ["calls_in_run", "use_of"]

_CALLS_SHOWN_MAX = 20


def use_of(reader: Reader, number: int) -> ProposalUse | None:
    """What is used of the budget that an open job shares, if it shares one."""
    for member in reader.tree_members([number]):
        tree = reader.tree(member.root)
        if tree is None:
            raise CorruptData(f"job {number} belongs to the tree of job {member.root}, which is not there")
        return ProposalUse(
            root=ids_of(reader, [tree.root])[tree.root],
            depth=member.depth,
            depth_max=tree.depth_max,
            jobs=tree.jobs,
            jobs_max=tree.jobs_max,
            until_us=tree.began_us + tree.wall_us,
        )
    return None


def calls_in_run(reader: Reader, run: int) -> list[ProposalCall]:
    """The newest calls in which jobs of a run have proposed others, oldest first, as far as the journal goes back."""
    calls: list[ProposalCall] = []
    for seq in reader.run_mentions(run)[-_CALLS_SHOWN_MAX:]:
        try:
            entry = read_entry(reader, seq)
        except Archived:
            continue
        if entry.type == "job.proposed" and entry.decision is not None:
            codes, lost = entry.decision["chosen"]["verdicts"], entry.decision.get("rejected", ())
            calls.append(
                ProposalCall(
                    job=entry.subject,
                    entry=seq,
                    at_us=entry.at,
                    proposed=len(codes),
                    accepted=codes.count(ACCEPTED),
                    rejected=[f"{name}: {text} ({code})" for name, code, text in lost],
                )
            )
    return calls
