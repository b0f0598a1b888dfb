"""The fold of entries about runs of workflows. It knows no declaration: those stay outside the journal."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.contracts.runs import RUN_ENDS
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_run_starts import RunStartFold
from sheratan.kernel.lifecycle import RUN_TRANSITIONS, node_end
from sheratan.kernel.run_facts import NodeBook, NodeFact, NodeJobFact, OpenRun, RunEnded

__all__ = ["WorkflowFold", "runs_above"]

_UNDO: Final = -2
_DECIDED: Final = {"start": "started", "skip": "skipped", "fail": "failed", "block": "blocked"}
_PARENTS: Final = {"failed": ("failed", "cancelled"), "skipped": ("skipped",)}


class WorkflowFold(RunStartFold):
    """What each entry about a run does, and what it must fit."""

    def run_changed(self, entry: Entry) -> None:
        """An entry in the story of a run."""
        run = self.runs.get(entry.subject)
        if run is None:
            self.say(entry, "E5", f"{entry.subject} has ended before, or nobody started it")
            return
        if entry.previous != run.entry:
            text = f"entry {run.entry} came last in this story, it names {entry.previous}"
            self.say(entry, "previous", text)
        _CHANGES[entry.type](self, entry, run)
        run.entry = entry.seq

    def joins_run(self, entry: Entry, number: int) -> None:
        """A job comes in that belongs to a node."""
        data = entry.data
        run, name = self.runs.get(data["workflow"]), data["node"]
        node = None if run is None else run.nodes.get(name)
        if run is None or node is None:
            self.say(entry, "E11", f"node {name} of {data['workflow']} was not started")
            return
        item: int = _UNDO if data.get("undoes") else data.get("item", -1)
        fits = _undoes(run, name) if item == _UNDO else run.awaits(name, item)
        if item == _UNDO:
            cause, run.undo = run.entry, run.undo[1:]
        else:
            cause, node.submitted = node.entry, node.submitted + 1
        if not fits or entry.cause != cause:
            self.say(entry, "E11", f"it is no job that node {name} of a run that is {run.state} waits for")
        run.open_jobs += 1
        self.run_jobs[number] = (run, name, item)
        self.new.node_jobs.append(NodeJobFact(run.number, name, item, number, entry.seq))

    def _run_advanced(self, entry: Entry, run: OpenRun) -> None:
        decided = decision_of(entry)
        given, chosen = decided["input"], decided["chosen"]
        if run.state != "running":
            self.say(entry, "E4", f"a run advances while it is {run.state}")
        actions = {name: action for action, names in chosen.items() for name in names}
        if sorted(actions) != sorted(fact["node"] for fact in given["nodes"]):
            self.say(entry, "E14", "the nodes that were decided about are not those that it was told of")
        wanted = 0
        for fact in given["nodes"]:
            wanted += self._decide(entry, run, fact, _DECIDED[actions[fact["node"]]])
        self._count_jobs(entry, run, wanted)

    def _count_jobs(self, entry: Entry, run: OpenRun, wanted: int) -> None:
        """A run gets more jobs: they count for all the runs above it, too."""
        given = decision_of(entry)["input"]
        told = (given["jobs"], given["wanted"], entry.data["jobs"])
        if told != (run.jobs, wanted, run.jobs + wanted):
            text = f"the run has {run.jobs} jobs and gets {wanted} more; it says {told}"
            self.say(entry, "E10", text)
        above = runs_above(run)
        if [budget[:2] for budget in given.get("above", ())] != [[each.subject, each.jobs] for each in above]:
            self.say(entry, "E10", "the runs above it are others, or have other numbers of jobs")
        for each in (run, *above):
            each.jobs += wanted

    def _decide(self, entry: Entry, run: OpenRun, fact: dict[str, Any], state: str) -> int:
        """Take what was decided about a node; returns how many jobs it gets."""
        name = fact["node"]
        if name in run.nodes:
            self.say(entry, "E12", f"node {name} is {run.nodes[name].state} already")
        for field, states in _PARENTS.items():
            for parent in fact[field]:
                stands = run.nodes[parent].state if parent in run.nodes else "waiting"
                if stands not in states:
                    self.say(entry, "E11", f"node {name} was told that {parent} is {field}; it is {stands}")
        node = NodeBook(state, fact.get("items", -1), entry.seq, workflow=fact.get("workflow", ""))
        run.nodes[name] = node
        self.new.nodes.append(NodeFact(run.number, name, state, node.items, entry.seq))
        node.settle()
        return node.wanted if state == "started" else 0

    def _run_stops(self, entry: Entry, run: OpenRun) -> None:
        ending = entry.data["ending"]
        if entry.decision is None:
            self._stops_with_parent(entry, run)
        else:
            self._check_stop(entry, run, entry.decision)
        self._go(entry, run, "stopping", ending)
        run.keeps = bool(entry.data.get("keeps"))

    def _stops_with_parent(self, entry: Entry, run: OpenRun) -> None:
        """What runs for a node of a run that is stopped is stopped with it, and nobody else without a decision."""
        parent, data = run.parent, entry.data
        if (
            parent is None
            or (parent.state, parent.entry) != ("stopping", entry.cause)
            or (data["ending"], bool(data.get("keeps"))) != ("cancelled", parent.keeps)
        ):
            self.say(entry, "E14", "it is stopped, and neither was that decided nor its parent stopped so")

    def _check_stop(self, entry: Entry, run: OpenRun, decided: dict[str, Any]) -> None:
        ending, given, chosen = entry.data["ending"], decided["input"], decided["chosen"]
        if decided["rule"].startswith("workflow.advance@"):
            jobs = {told[0]: told[1] for told in given.get("above", ())}.get(run.subject, given["jobs"])
            if (chosen.get("stop"), chosen.get("run", run.subject), jobs) != (ending, run.subject, run.jobs):
                self.say(entry, "E14", f"{chosen} was chosen with {jobs} jobs")
        elif chosen != "stop" or given["state"] != run.state:
            self.say(entry, "E14", f"{chosen} was chosen for a run that is {given['state']}")
        if ending == "out_of_time" and (
            given["limit_us"] != run.due_us - run.created_us or entry.at < run.due_us
        ):
            self.say(entry, "E13", f"its time is over at {run.due_us}; it was stopped at {entry.at}")

    def _run_blocked(self, entry: Entry, run: OpenRun) -> None:
        self._check_end(entry, run, "blocked")
        self._go(entry, run, "blocked", "")

    def _run_compensates(self, entry: Entry, run: OpenRun) -> None:
        names, ending = entry.data["nodes"], entry.data["ending"]
        decided = self._check_end(entry, run, "compensating")
        if decided["chosen"].get("ending") != ending or decided["input"]["undo"] != len(names) or run.keeps:
            self.say(entry, "E14", f"{len(names)} nodes are to be compensated before it ends as {ending}")
        for name in names:
            if name not in run.nodes or run.nodes[name].state != "succeeded":
                self.say(entry, "E11", f"node {name} is to be compensated and has not succeeded")
        run.undo = list(names)
        self._go(entry, run, "compensating", ending)

    def _run_ended(self, entry: Entry, run: OpenRun) -> None:
        state, output = entry.data["state"], entry.data.get("output")
        if state not in RUN_ENDS or (output is None) == (state == "succeeded"):
            self.say(entry, "E4", f"a run cannot end as {state} with the output {output}")
        if run.state == "compensating":
            self._check_undone(entry, run, state)
        else:
            self._check_end(entry, run, state)
        self._go(entry, run, state, "")
        del self.runs[entry.subject]
        if run.parent is not None:
            run.parent.open_jobs -= 1
            run.parent.nodes[run.node].count_end(node_end(state))
        self.new.runs_ended.append(RunEnded(run.number, state, run.jobs, entry.at, output, entry.seq))

    def _check_undone(self, entry: Entry, run: OpenRun, state: str) -> None:
        given = decision_of(entry)["input"]
        told = (given["node"], given["state"])
        is_over = not run.undo and run.undone is not None and run.undone[1] == "succeeded"
        if told[1] == "unresolved":
            fits = state == "compensation_failed" and run.undo[:1] == [told[0]]
        else:
            fits = told == run.undone and state == (run.ending if is_over else "compensation_failed")
        if not fits or run.open_jobs:
            self.say(entry, "E11", f"it ends as {state}; {run.undone} is what was compensated last")

    def _check_end(self, entry: Entry, run: OpenRun, state: str) -> dict[str, Any]:
        """Nothing of the run may run any more, and it ends as its nodes have."""
        decided = decision_of(entry)
        given = decided["input"]
        if run.open_jobs or (run.state == "running" and _names_in(run, "started")):
            self.say(entry, "E11", f"it comes to its end while {run.open_jobs} of its jobs are open")
        if not _names_in(run, "failed", "cancelled") >= set(given["failed"]):
            self.say(entry, "E11", f"not all of {given['failed']} have failed")
        if _names_in(run, "blocked") != set(given["blocked"]) or given.get("ending", "") != run.ending:
            text = f"{given['blocked']} are not all that are blocked, or it is not to end as {run.ending}"
            self.say(entry, "E11", text)
        if decided["chosen"]["state"] != state:
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and {entry.type} was done")
        return decided

    def _go(self, entry: Entry, run: OpenRun, target: str, ending: str) -> None:
        if RUN_TRANSITIONS[run.state].get(target) != entry.type:
            self.say(entry, "E4", f"a run may not go from {run.state} to {target} by {entry.type}")
        run.state, run.ending, run.since_us = target, ending, entry.at


def runs_above(run: OpenRun) -> list[OpenRun]:
    """The runs that have this one run, from the nearest on."""
    found: list[OpenRun] = []
    while run.parent is not None:
        run = run.parent
        found.append(run)
    return found


def _undoes(run: OpenRun, name: str) -> bool:
    """Whether the compensation of this node comes next."""
    return run.state == "compensating" and run.undo[:1] == [name] and not run.open_jobs


def _names_in(run: OpenRun, *states: str) -> set[str]:
    return {name for name, node in run.nodes.items() if node.state in states}


_CHANGES: Final = {
    "workflow.advanced": WorkflowFold._run_advanced,
    "workflow.blocked": WorkflowFold._run_blocked,
    "workflow.stopping": WorkflowFold._run_stops,
    "workflow.compensating": WorkflowFold._run_compensates,
    "workflow.ended": WorkflowFold._run_ended,
}
