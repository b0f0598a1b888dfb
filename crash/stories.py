"""The judge's own reading of a journal: the chain recomputed, and each job's story followed entry by entry.

Nothing here is the engine's code. It knows the format (docs/reference) and uses hashlib and json only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apsw

from crash.packed import body_of

__all__ = ["ENDS", "Journal", "Outage", "Step", "Story", "number_in"]

_GENESIS = "0" * 64
ENDS = {"job.succeeded": "succeeded", "job.failed": "failed", "job.cancelled": "cancelled"}
_LEAVES_LEASE = frozenset({"job.retried", "job.requeued", "job.waiting", "job.blocked"})
_NEEDS_LEASE = _LEAVES_LEASE | {"job.succeeded", "job.timed_out", "job.cancel_requested"}
_OTHERS = frozenset({"job.due", "job.unblocked", "job.timed_out", "job.cancel_requested", "job.woken"})


def number_in(job_id: str) -> int:
    """The job number that an id carries: 42 bits above the 20 bits of its salt."""
    return (int(job_id.removeprefix("job_"), 16) >> 20) & ((1 << 42) - 1)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a job has recorded, under which fence, and the SHA-256 of what it gave or failed with."""

    step: int
    name: str
    failed: bool
    digest: str
    fence: int
    entry: int


@dataclass(slots=True)
class Story:
    """What the journal says about one job."""

    number: int
    id: str
    kind: str
    input: str
    """SHA-256 of the input's canonical bytes."""
    key: str | None
    """SHA-256 of the idempotency key."""
    by_client: bool
    """Whether a client submitted it, and not a job, a retry, a schedule or a workflow."""
    state: str = "open"
    """`open`, `leased`, or how it ended."""
    attempt: int = 1
    """The attempt that runs, or the next one."""
    fence: int = -1
    leases: dict[int, int] = field(default_factory=dict)
    """Every lease: the attempt by its fence."""
    end: int | None = None
    end_fence: int | None = None
    output: str | None = None
    steps: list[Step] = field(default_factory=list)
    waits: dict[str, int] = field(default_factory=dict)
    """What its handler waits for, and until when, in microseconds since the epoch."""
    cancel_requested: bool = False
    fenced_off: set[int] = field(default_factory=set)
    pruned_by: int | None = None
    """The entry that says that its rows were taken out."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the engine could commit nothing, as it tells of it: from when to when, and refusals."""

    since_us: int
    until_us: int
    refused: int


class Journal:
    """A journal as read from a database: `violations` says what is wrong with it, `stories` what it tells."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.violations: list[str] = []
        self.stories: dict[int, Story] = {}
        self.counts: dict[str, int] = {}
        self.starts: list[tuple[int, int | None]] = []
        """For each start of an engine its instant, and that of the first lease after it."""
        self.outages: list[Outage] = []
        self.seq, self.at = 0, 0
        self.hashes: list[str] = []
        """The hash of each entry, in the order in which they stand."""
        self.last_type = ""
        self._fired: dict[int, str] = {}
        """By entry, the schedule that it lets fire."""
        self._firings: set[tuple[str, str]] = set()
        self._of_runs: dict[int, str] = {}
        """By entry, the run of a workflow that it is about."""
        self._node_jobs: set[tuple[str, str, int | str]] = set()
        self._by_id: dict[str, Story] = {}
        for line in self._lines(connection):
            self._take(line)

    @property
    def head(self) -> str:
        """The hash that the next entry must name."""
        return self.hashes[-1] if self.hashes else _GENESIS

    def by_id(self, job_id: str) -> Story | None:
        """The story of a job."""
        return self._by_id.get(job_id)

    def _lines(self, connection: apsw.Connection) -> Iterator[bytes]:
        for first, count, stored, codec in connection.execute(
            "SELECT first_seq, count, body, codec FROM page ORDER BY first_seq"
        ):
            lines = body_of(stored, codec).split(b"\n")
            if first != self.seq:
                self.say(f"a page begins at entry {first}, and {self.seq} is due")
                self.seq = first
            if count != len(lines):
                self.say(f"the page at entry {first} says {count} entries and holds {len(lines)}")
            yield from lines

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._check_chain(entry)
            self._tell(entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.say(f"entry {self.seq} cannot be read: {type(error).__name__}: {error}")
        self.hashes.append(hashlib.sha256(line).hexdigest())
        self.seq += 1

    def _check_chain(self, entry: dict[str, Any]) -> None:
        if entry["seq"] != self.seq:
            self.say(f"entry {entry['seq']} stands where {self.seq} is due")
        if entry["prev"] != self.head:
            self.say(f"entry {self.seq} does not name the hash of the entry before it")
        if entry["at"] < self.at:
            self.say(f"time runs backwards at entry {self.seq}")
        self.at = entry["at"]

    def _tell(self, entry: dict[str, Any]) -> None:
        kind = self.last_type = entry["type"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind in _TELLERS:
            _TELLERS[kind](self, entry)
        elif kind.startswith("workflow."):
            self._of_runs[self.seq] = entry["subject"]

    def _submitted(self, entry: dict[str, Any]) -> None:
        data, job_id = entry["data"], entry["subject"]
        number = data["number"]
        if number_in(job_id) != number:
            self.say(f"{job_id} is not an id of job number {number}")
        if number in self.stories:
            self.say(f"job number {number} was given twice, at entry {self.seq} again")
            return
        if "firing" in data:
            self._check_firing(entry, data["schedule"], data["firing"])
        if "node" in data:
            self._check_node(entry, data["workflow"], data["node"])
        by_client = not {"by_job", "origin", "firing", "node"} & data.keys()
        story = Story(number, job_id, data["kind"], data["input"], data.get("key"), by_client)
        if entry["decision"]["chosen"] == "cancel":
            story.state, story.end = "cancelled", self.seq
        self.stories[number] = self._by_id[job_id] = story

    def _fenced_off(self, entry: dict[str, Any]) -> None:
        story = self._known(entry, entry["data"]["job"])
        if story is not None:
            story.fenced_off.add(entry["decision"]["input"]["fence"])

    def _fires(self, entry: dict[str, Any]) -> None:
        self._fired[self.seq] = entry["subject"]

    def _started(self, entry: dict[str, Any]) -> None:
        self.starts.append((entry["at"], None))

    def _resumed(self, entry: dict[str, Any]) -> None:
        self.outages.append(Outage(entry["data"]["since_us"], entry["at"], entry["data"]["refused"]))

    def _pruned(self, entry: dict[str, Any]) -> None:
        for first, last in entry["data"]["numbers"]:
            for number in range(first, min(last, len(self.stories)) + 1):
                story = self.stories.get(number)
                if story is None or story.end is None or story.pruned_by is not None:
                    self.say(f"entry {self.seq} prunes job number {number}, which has not ended, or is gone")
                else:
                    story.pruned_by = self.seq

    def _check_firing(self, entry: dict[str, Any], schedule: str, firing: str) -> None:
        """A firing submits one job, behind the entry that says so and under its own key."""
        key = f"schedule:{schedule}:{firing}"
        if self._fired.get(entry.get("cause", -1)) != f"schedule:{schedule}":
            self.say(f"entry {self.seq} is the job of a firing of {schedule} that no entry tells of")
        if (schedule, firing) in self._firings:
            self.say(f"firing {firing} of {schedule} has a second job at entry {self.seq}")
        if entry["data"].get("key") != hashlib.sha256(key.encode()).hexdigest():
            self.say(f"entry {self.seq} is the job of a firing, and not under the key {key}")
        self._firings.add((schedule, firing))

    def _check_node(self, entry: dict[str, Any], run: str, node: str) -> None:
        """A node of a run has one job, or one for each item, and one that undoes it, behind what decided so."""
        data = entry["data"]
        if self._of_runs.get(entry.get("cause", -1)) != run:
            self.say(f"entry {self.seq} is a job of {run}, by no entry about it")
        place = (run, node, "undo" if data.get("undoes") else data.get("item", -1))
        if place in self._node_jobs:
            self.say(f"node {node} of {run} has a second job at entry {self.seq}")
        self._node_jobs.add(place)

    def _leased(self, entry: dict[str, Any]) -> None:
        if self.starts and self.starts[-1][1] is None:
            self.starts[-1] = (self.starts[-1][0], entry["at"])
        for number, attempt, _ in entry["data"]["jobs"]:
            story = self.stories.get(number)
            if story is None:
                self.say(f"entry {self.seq} leases job number {number}, which nobody submitted")
                continue
            if story.state != "open":
                self.say(f"entry {self.seq} leases {story.id}, which is {story.state}")
            if attempt != story.attempt:
                self.say(
                    f"entry {self.seq} begins attempt {attempt} of {story.id}, and {story.attempt} is due"
                )
            if self.seq <= story.fence:
                self.say(f"fence {self.seq} of {story.id} is not above its last, {story.fence}")
            story.state, story.attempt, story.fence = "leased", attempt, self.seq
            story.leases[self.seq] = attempt

    def _stepped(self, entry: dict[str, Any]) -> None:
        story, data = self._known(entry, entry["subject"]), entry["data"]
        if story is None:
            return
        if story.waits.pop(data["name"], None) is None and story.state != "leased":
            self.say(f"entry {self.seq} records a step of {story.id}, which is {story.state}")
        if data["step"] != len(story.steps) + 1:
            self.say(f"entry {self.seq} is step {data['step']} of {story.id}, after {len(story.steps)}")
        failed = entry["type"] == "step.failed"
        digest = data["error"]["digest"] if failed else data["output"]
        story.steps.append(Step(data["step"], data["name"], failed, digest, story.fence, self.seq))

    def _changed(self, entry: dict[str, Any]) -> None:
        kind, story = entry["type"], self._known(entry, entry["subject"])
        if story is None:
            return
        if story.end is not None:
            text = "a second end" if kind in ENDS else "an entry after its end"
            self.say(f"{story.id} ended with entry {story.end} and has {text}, {kind} at entry {self.seq}")
            return
        if kind in _NEEDS_LEASE and story.state != "leased":
            self.say(f"{kind} at entry {self.seq} is for a job that runs, and {story.id} is {story.state}")
        self._check_fence(entry, story)
        if kind in ENDS:
            story.state, story.end = ENDS[kind], self.seq
            story.end_fence = story.fence if story.leases else None
            story.output = entry["data"].get("output")
        elif kind in _LEAVES_LEASE:
            story.state = "open"
            # An attempt that failed or was lost is over; one that was handed back will be begun anew.
            story.attempt += "error" in entry["data"]
            story.waits |= {wait["name"]: wait["due_us"] for wait in entry["data"].get("begun", ())}
        elif kind == "job.cancel_requested":
            story.cancel_requested = True

    def _check_fence(self, entry: dict[str, Any], story: Story) -> None:
        decision = entry.get("decision") or {}
        given = decision.get("input", {})
        said = (
            given.get("fence")
            if decision.get("rule", "").startswith("job.settle@")
            else entry["data"].get("fence")
        )
        if said is not None and said != story.fence:
            self.say(
                f"{entry['type']} of {story.id} at entry {self.seq} counts under fence {said}, not {story.fence}"
            )

    def _known(self, entry: dict[str, Any], job_id: str) -> Story | None:
        story = self._by_id.get(job_id)
        if story is None:
            self.say(f"{entry['type']} at entry {self.seq} is about {job_id}, which nobody submitted")
        return story

    def say(self, text: str) -> None:
        """Note a violation."""
        self.violations.append(text)


_TELLERS: dict[str, Callable[[Journal, dict[str, Any]], None]] = {
    "job.submitted": Journal._submitted,
    "worker.leased": Journal._leased,
    "job.fenced_off": Journal._fenced_off,
    "step.succeeded": Journal._stepped,
    "step.failed": Journal._stepped,
    "retention.pruned": Journal._pruned,
    "schedule.fired": Journal._fires,
    "schedule.backfilled": Journal._fires,
    "engine.started": Journal._started,
    "engine.resumed": Journal._resumed,
    **dict.fromkeys((*ENDS, *_LEAVES_LEASE, *_OTHERS), Journal._changed),
}
"""What each type of entry means for the story; those of other types, and of runs, mean nothing for it."""
