"""The fold of entries about schedules: firings come once, in order, never early, and submit the jobs that they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts.ids import parse_job_id, parse_run_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import Announced, ScheduleFact, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_deadlines import DeadlineFold
from sheratan.kernel.timetable import TRIGGER, firing_key

__all__ = ["ScheduleFold"]

_SUBJECT: Final = "schedule:"


class ScheduleFold(DeadlineFold):
    """What each entry about a schedule does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.schedules: dict[tuple[str, str], ScheduleFact] = {}
        self.announced: dict[int, Announced] = {}
        """Jobs that firings have said they submit, and that have not come in yet."""
        self.announced_runs: dict[int, Announced] = {}
        """Runs that firings have said they begin, and that have not begun yet."""

    def scheduled(self, entry: Entry) -> None:
        """An entry in the story of a schedule."""
        key = (entry.tenant, entry.subject.removeprefix(_SUBJECT))
        known = self.schedules.get(key)
        self.check_previous(entry, known.entry if known else None)
        if entry.type == "schedule.created":
            self.schedules[key] = self._created(entry, known)
        elif known is None or known.state == "deleted":
            self.say(entry, "E2", f"there is no {entry.subject} that it could be about")
        else:
            self.schedules[key] = _CHANGES[entry.type](self, entry, known)._replace(entry=entry.seq)

    def check_firing(self, entry: Entry, number: int) -> None:
        """A job that a firing submits comes in behind the entry that says so, under the key of that firing."""
        self._check_announced(entry, self.announced.pop(number, None), f"job number {number}")

    def check_run_of_firing(self, entry: Entry, number: int) -> None:
        """A run that a firing begins does so in the same way."""
        self._check_announced(entry, self.announced_runs.pop(number, None), f"run number {number}")

    def _check_announced(self, entry: Entry, told: Announced | None, what: str) -> None:
        if told is None and "firing" not in entry.data:
            return
        if told is None or (entry.cause, entry.data.get("key")) != told:
            self.say(entry, "E17", f"it comes of a firing; of {what} no firing has said that it makes it so")

    def _created(self, entry: Entry, known: ScheduleFact | None) -> ScheduleFact:
        if known is not None and known.state != "deleted":
            self.say(entry, "E4", f"{entry.subject} is there already")
        data, at = entry.data, entry.at
        return ScheduleFact(
            "active", data["definition"], entry.on_behalf_of, at, at, data["due_us"], None, None, entry.seq
        )

    def _changed(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        data = entry.data
        return known._replace(
            definition=data["definition"],
            on_behalf_of=entry.on_behalf_of,
            after_us=entry.at,
            due_us=data["due_us"],
        )

    def _missed(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        given = decision_of(entry)["input"]
        self._fires(entry, known)
        for _, instant_us in given["due"]:
            self._check_instant(entry, known, instant_us)
        return known._replace(after_us=entry.data["after_us"], due_us=entry.data["due_us"])

    def _fired(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        data, decided = entry.data, decision_of(entry)
        self._fires(entry, known)
        self._check_instant(entry, known, data["instant_us"])
        previous = decided["input"]["previous"]
        if _job_and_run(previous) != (known.last_job, known.last_run):
            before = known.last_job or known.last_run
            self.say(entry, "E14", f"number {before} was the last one before; it was decided on {previous}")
        if decided["chosen"] not in ("submit", "cancel_previous"):
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and {entry.type} was done")
        job, run = _job_and_run(data.get("job", data.get("run")))
        if job is not None:
            self.announced[job] = self._announced(entry, data["firing"])
        elif run is not None:
            self.announced_runs[run] = self._announced(entry, data["firing"])
        return known._replace(
            after_us=data["instant_us"],
            due_us=data["due_us"],
            last_us=data["instant_us"],
            last_job=job,
            last_run=run,
        )

    def _skipped(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        data = entry.data
        self._fires(entry, known)
        self._check_instant(entry, known, data["instant_us"])
        if "reason" not in data and decision_of(entry)["chosen"] != "skip":
            self.say(entry, "E14", f"{decision_of(entry)['chosen']} was chosen, and {entry.type} was done")
        return known._replace(after_us=data["instant_us"], due_us=data["due_us"])

    def _postponed(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        self._fires(entry, known)
        if entry.data["due_us"] is not None and entry.data["due_us"] <= entry.at:
            self.say(
                entry, "E13", f"it is to be looked at again at {entry.data['due_us']}, which has gone by"
            )
        return known._replace(due_us=entry.data["due_us"])

    def _backfilled(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        if entry.data["until_us"] > entry.at:
            self.say(
                entry, "E13", f"it makes up for firings up to {entry.data['until_us']}, which lies ahead"
            )
        return self._asked(entry, known)

    def _triggered(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        made = [*entry.data.get("firings", ()), *entry.data.get("runs", ())]
        if [firing for firing, _ in made if firing.startswith(TRIGGER)] != [firing for firing, _ in made[:1]]:
            self.say(entry, "E17", "somebody let it fire once, which is what it is to tell of")
        return self._asked(entry, known)

    def _asked(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        for firing, number in entry.data.get("firings", ()):
            self.announced[number] = self._announced(entry, firing)
        for firing, number in entry.data.get("runs", ()):
            self.announced_runs[number] = self._announced(entry, firing)
        return known

    def _paused(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        self._fires(entry, known)
        return known._replace(state="paused", due_us=None)

    def _resumed(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        if known.state != "paused":
            self.say(entry, "E4", f"{entry.subject} is {known.state}, and it is resumed")
        return known._replace(state="active", after_us=entry.at, due_us=entry.data["due_us"])

    def _deleted(self, entry: Entry, known: ScheduleFact) -> ScheduleFact:
        return known._replace(state="deleted", definition=None, due_us=None)

    def _fires(self, entry: Entry, known: ScheduleFact) -> None:
        if known.state != "active":
            self.say(entry, "E4", f"{entry.subject} is {known.state}: {entry.type} is for one that fires")

    def _check_instant(self, entry: Entry, known: ScheduleFact, instant_us: int) -> None:
        if instant_us > entry.at:
            self.say(entry, "E17", f"a firing of {instant_us} came early, at {entry.at}")
        if instant_us <= known.after_us:
            text = f"a firing of {instant_us} came again: those up to {known.after_us} were dealt with before"
            self.say(entry, "E17", text)

    def _announced(self, entry: Entry, firing: str) -> Announced:
        key = firing_key(entry.subject.removeprefix(_SUBJECT), firing)
        return Announced(entry.seq, digest(key.encode()))


def _job_and_run(made: str | None) -> tuple[int | None, int | None]:
    """The number of a job or of a run, in its place."""
    if made is None:
        return None, None
    if made.startswith("workflow_"):
        return None, parse_run_id(made).number
    return parse_job_id(made).number, None


_Change = Callable[[Any, Entry, ScheduleFact], ScheduleFact]

_CHANGES: Final[dict[str, _Change]] = {
    "schedule.changed": ScheduleFold._changed,
    "schedule.missed": ScheduleFold._missed,
    "schedule.fired": ScheduleFold._fired,
    "schedule.skipped": ScheduleFold._skipped,
    "schedule.postponed": ScheduleFold._postponed,
    "schedule.backfilled": ScheduleFold._backfilled,
    "schedule.triggered": ScheduleFold._triggered,
    "schedule.paused": ScheduleFold._paused,
    "schedule.resumed": ScheduleFold._resumed,
    "schedule.deleted": ScheduleFold._deleted,
}
