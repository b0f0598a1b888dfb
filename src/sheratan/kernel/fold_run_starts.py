"""The fold of entries that begin runs, and of those that say of an ended run that another one continues it."""

from __future__ import annotations

from sheratan.contracts.ids import format_run_id, parse_run_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import KeyFact, Mention
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_schedules import ScheduleFold
from sheratan.kernel.run_facts import NodeBook, NodeFact, OpenRun

__all__ = ["RunStartFold"]


class RunStartFold(ScheduleFold):
    """How runs begin, and what they must fit."""

    def run_started(self, entry: Entry) -> None:
        """A run begins."""
        data, subject = entry.data, entry.subject
        number, salt = data["number"], parse_run_id(subject).salt
        if format_run_id(entry.at // 1000, 0, number, salt) != subject:
            self.say(entry, "E2", f"{subject} is not the id of run number {number} of this instant")
        if number != self.newest_run + 1:
            self.say(entry, "E2", f"run number {self.newest_run} came before, this one is {number}")
        if entry.previous is not None:
            self.say(entry, "previous", "a new run's story has no earlier entry")
        self.check_run_of_firing(entry, number)
        if "key" in data:
            self.use_run_key(entry, data["key"], KeyFact(number, bytes.fromhex(data["request"])))
        self.newest_run = max(self.newest_run, number)
        run = OpenRun(
            number, subject, entry.on_behalf_of, data["plan"], entry.at, data["due_us"], entry.seq, entry.at
        )
        self.runs[subject] = run
        if "parent" in data:
            self._runs_for(entry, run)
        if "origin" in data:
            self._continues(entry, run)
        self.new.runs.append(entry)

    def run_forked(self, entry: Entry) -> None:
        """An ended run is continued by the one that has just begun."""
        self.check_previous(entry, None)
        if self.forked.pop(entry.cause or 0, None) != (entry.data["as"], entry.subject):
            self.say(entry, "E18", f"{entry.data['as']} did not begin as one that continues {entry.subject}")
        self.run_mentions.append(Mention(parse_run_id(entry.subject).number, entry.seq))

    def _runs_for(self, entry: Entry, run: OpenRun) -> None:
        """A run begins that a node of another run waits for; it goes by the plan of that, and has no more time."""
        data = entry.data
        parent, name = self.runs.get(data["parent"]), data["node"]
        if parent is None or name not in parent.nodes:
            self.say(entry, "E11", f"node {name} of {data['parent']} was not started")
            return
        node = parent.nodes[name]
        if not parent.awaits(name, data.get("item", -1), data["workflow"]) or entry.cause != node.entry:
            text = f"node {name} of a run that is {parent.state} waits for no such run of {data['workflow']}"
            self.say(entry, "E11", text)
        if (run.plan, entry.on_behalf_of) != (parent.plan, parent.requester):
            self.say(
                entry, "E11", f"it goes by another plan than {parent.subject}, or runs for somebody else"
            )
        if run.due_us > parent.due_us:
            self.say(entry, "E13", f"its time is over at {run.due_us}, that of {parent.subject} before")
        node.submitted += 1
        parent.open_jobs += 1
        run.parent, run.node = parent, name

    def _continues(self, entry: Entry, run: OpenRun) -> None:
        """A run takes nodes over from one that has ended; that they ended so there is seen where rows are compared."""
        origin, taken = entry.data["origin"], entry.data["taken"]
        self.forked[entry.seq] = (run.subject, origin)
        if origin in self.runs or not 0 < parse_run_id(origin).number < run.number:
            self.say(entry, "E18", f"{origin} has not ended, or nobody started it")
        decided = decision_of(entry)
        states = {fact["node"]: fact.get("state") for fact in decided["input"]["nodes"]}
        if decided["chosen"]["take"] != [name for name, *_ in taken]:
            self.say(entry, "E14", "the nodes that are taken over are not those that were chosen")
        for name, state, items, source in taken:
            if states.get(name) != ("succeeded" if state == "taken" else state):
                self.say(entry, "E14", f"node {name} is taken over as {state}; it was {states.get(name)}")
            run.nodes[name] = NodeBook("succeeded" if state == "taken" else state, items, entry.seq)
            self.new.nodes.append(NodeFact(run.number, name, state, items, entry.seq, source))
