"""The part of the model that knows schedules: which instants they name, and what becomes of each."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sheratan.contracts.schedules import Schedule
from sheratan.engine.commands import (
    BackfillSchedule,
    CreateSchedule,
    DeleteSchedule,
    NewJob,
    PauseSchedule,
    Pending,
    ResumeSchedule,
    TriggerSchedule,
)
from sheratan.kernel.canonical import canonical, digest
from sheratan.simulation.model_dead import ModelDead
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_state import TERMINAL, ModelSchedule

__all__ = ["ModelSchedules", "firing_name", "instants"]

_US: Final = 1_000_000
_MINUTE: Final = 60
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_ON_TIME_US: Final = 10 * _US
"""How late a firing may be and is on time all the same (docs/how-to/schedule.md)."""

_AGAIN_US: Final = 5 * _US
_AT_ONCE: Final = 16
_BACKFILL_MAX: Final = 1_000
_HOUR_US: Final = 3_600 * _US


class ModelSchedules(ModelDead):
    """Schedules, and how they fire."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.schedules: dict[str, ModelSchedule] = {}
        self.touched: set[str] = set()
        """Schedules that something was done with in this batch."""
        self._deleted: set[str] = set()
        self.started_us = 0
        """When the newest engine started."""

    # ------------------------------------------------------------------------------------------------------------------
    # What people ask for

    def _CreateSchedule(self, pending: Pending, command: CreateSchedule) -> str:  # noqa: N802 - the command's name
        wanted = command.schedule
        known = self.schedules.get(wanted.name)
        if known is not None:
            return self._change(pending, command, known)
        if len(self.schedules) >= self.limits.schedules_max:
            self.hit("schedule.refused_full")
            raise Refused("limit_reached")
        due_us = self._first_due(wanted, self.at_us)
        if wanted.name in self._deleted:
            self.hit("schedule.deleted_and_created")
        owner = pending.by.on_behalf_of
        self.schedules[wanted.name] = ModelSchedule(wanted, owner, self.at_us, self.at_us, due_us)
        self._note("created", wanted.name)
        return "created"

    def _change(self, pending: Pending, command: CreateSchedule, known: ModelSchedule) -> str:
        if known.definition == command.schedule:
            self.hit("schedule.unchanged")
            return "unchanged"
        if not command.replaces:
            raise Refused("conflict")
        due_us = self._first_due(command.schedule, known.created_us)
        self.hit("schedule.changed")
        known.definition, known.owner = command.schedule, pending.by.on_behalf_of
        known.after_us, known.due_us = self.at_us, None if known.is_paused else due_us
        self._note("changed", command.schedule.name)
        return "changed"

    def _first_due(self, wanted: Schedule, created_us: int) -> int:
        due_us = _following(wanted, created_us, self.at_us)
        if due_us is None:
            raise Refused("invalid_input")
        return due_us

    def _find_schedule(self, name: str) -> ModelSchedule:
        known = self.schedules.get(name)
        if known is None:
            raise Refused("not_found")
        return known

    def _PauseSchedule(self, pending: Pending, command: PauseSchedule) -> bool:  # noqa: N802 - the command's name
        known = self._find_schedule(command.name)
        if known.is_paused:
            return False
        known.is_paused, known.due_us = True, None
        self._note("paused", command.name)
        return True

    def _ResumeSchedule(self, pending: Pending, command: ResumeSchedule) -> bool:  # noqa: N802 - the command's name
        known = self._find_schedule(command.name)
        if not known.is_paused:
            return False
        known.is_paused, known.after_us = False, self.at_us
        known.due_us = _following(known.definition, known.created_us, self.at_us)
        self._note("resumed", command.name)
        return True

    def _DeleteSchedule(self, pending: Pending, command: DeleteSchedule) -> None:  # noqa: N802 - the command's name
        known = self._find_schedule(command.name)
        if known.due_us is not None and known.due_us <= self.at_us:
            self.hit("schedule.deleted_when_due")
        del self.schedules[command.name]
        self._deleted.add(command.name)
        self._note("deleted", command.name)

    def _BackfillSchedule(self, pending: Pending, command: BackfillSchedule) -> Any:  # noqa: N802 - the command's name
        known = self._find_schedule(command.name)
        found = self._past_instants(known, command)
        keys = {instant: _key(known.definition, instant) for instant in found}
        missing = [instant for instant in found if self._made_under(keys[instant]) is None]
        if missing and not command.dry_run:
            self._admit_all(known, missing)
            self.hit("schedule.backfilled")
            self._note("backfilled", command.name)
            for instant in missing:
                self._submit_firing(known, keys[instant], 0)
        return [
            (firing_name(known.definition, instant), instant, self._made_under(keys[instant]))
            for instant in found
        ]

    def _TriggerSchedule(self, pending: Pending, command: TriggerSchedule) -> Any:  # noqa: N802 - the command's name
        known, name = self._find_schedule(command.name), f"trigger:{command.key}"
        key = f"schedule:{command.name}:{name}"
        made = self._made_under(key)
        if made is not None:
            self.hit("schedule.triggered_again")
            return (name, made, True)
        self._admit_all(known, [self.at_us])
        self.hit("schedule.triggered_paused" if known.is_paused else "schedule.triggered")
        self._note("triggered", command.name)
        self._submit_firing(known, key, 0)
        return (name, self._made_under(key), False)

    def _past_instants(self, known: ModelSchedule, command: BackfillSchedule) -> list[int]:
        if command.until_us > self.at_us or command.from_us > command.until_us:
            raise Refused("invalid_input")
        found = instants(known.definition, known.created_us, command.from_us - 1, command.until_us)
        if len(found) > _BACKFILL_MAX:
            raise Refused("invalid_input")
        return found

    def _admit_all(self, known: ModelSchedule, missing: list[int]) -> None:
        new = _job(known.definition, "", 0)
        is_full = not self._has_lane(new)
        if not is_full:
            self.check_takes_in()
            is_full = not self._has_places(new, len(missing))
        if is_full:
            self.hit("schedule.backfill_refused")
            raise Refused("limit_reached")

    def _made_under(self, key: str) -> str | None:
        """The job that has come of a firing."""
        number = self.keys.get(key)
        return None if number is None else self.jobs[number].id

    # ------------------------------------------------------------------------------------------------------------------
    # Time

    def due_schedules(self) -> list[str]:
        """The schedules that are to be looked at in this batch, by name."""
        due = sorted((one.due_us, name) for name, one in self.schedules.items() if one.due_us is not None)
        self.touched.clear()
        return [name for due_us, name in due if due_us <= self.at_us][:_AT_ONCE]

    def fire(self, names: list[str]) -> None:
        """Let these schedules fire, unless somebody has just done something with them."""
        if not self.starts_jobs:
            if names:
                self.hit("schedule.draining" if self.draining else "schedule.deferred")
            return
        enough = self._made_count() + _AT_ONCE
        for name in names:
            if self._made_count() >= enough:
                self.hit("schedule.goes_on")
                return
            if name in self.touched:
                self.hit("schedule.touched_when_due")
            else:
                self._look_at(self.schedules[name], enough)

    def _made_count(self) -> int:
        return len(self.jobs)

    def _look_at(self, known: ModelSchedule, enough: int) -> None:
        definition, self.whom = known.definition, known.owner
        due = instants(definition, known.created_us, known.after_us, self.at_us)
        missed = [instant for instant in due if instant < self.at_us - _ON_TIME_US]
        on_time = due[len(missed) :]
        chosen = [*self._made_up(definition, missed, on_time), *on_time]
        following = _following(definition, known.created_us, self.at_us)
        if missed:
            self._note("missed", definition.name)
            known.after_us, known.due_us = (chosen[0] - 1, chosen[0]) if chosen else (due[-1], following)
            if due[0] < self.started_us and chosen:
                self.hit("schedule.after_crash")
        self._fire_all(known, chosen, following, enough)

    def _fire_all(self, known: ModelSchedule, chosen: list[int], following: int | None, enough: int) -> None:
        for instant, due_us in zip(chosen, [*chosen[1:], following], strict=False):
            if self._made_count() >= enough:
                self.hit("schedule.goes_on")
                return
            if not self._fire_one(known, instant):
                return
            known.after_us, known.due_us = instant, due_us
        if known.due_us is None:
            self.hit("schedule.ended")

    def _made_up(self, definition: Schedule, missed: list[int], on_time: list[int]) -> list[int]:
        """Which of the missed firings submit a job all the same."""
        if not missed:
            return []
        if definition.missed == "skip":
            self.hit("schedule.missed_skip")
            return []
        if definition.missed == "once":
            self.hit("schedule.missed_once")
            return [] if on_time else missed[-1:]
        if len(missed) > definition.missed_max:
            self.hit("schedule.missed_all")
        return missed[-definition.missed_max :]

    def _fire_one(self, known: ModelSchedule, instant: int) -> bool:
        """Whether the firing is dealt with; it is not when its job is refused."""
        definition = known.definition
        key = _key(definition, instant)
        if self._made_under(key) is not None:
            self.hit("schedule.made_before")
            self._note("skipped", definition.name)
            return True
        is_open = self._is_previous_open(known)
        if is_open and definition.overlap == "skip":
            self.hit("schedule.overlap_skip")
            self._note("skipped", definition.name)
            return True
        if not self._has_room(known, key):
            self.hit("schedule.postponed")
            self._note("postponed", definition.name)
            known.due_us = self.at_us + _AGAIN_US
            return False
        self.hit("schedule.fired")
        self._note("fired", definition.name)
        if is_open and definition.overlap == "queue":
            self.hit("schedule.overlap_queue")
        elif is_open:
            self._cancel_previous(known)
        known.last_us = instant
        known.last_job, known.last_run = self._submit_firing(known, key, _jitter_us(definition, key))
        return True

    def _is_previous_open(self, known: ModelSchedule) -> bool:
        return known.last_job is not None and self.jobs[known.last_job].state not in TERMINAL

    def _has_room(self, known: ModelSchedule, key: str) -> bool:
        new = _job(known.definition, key, 0)
        return self._has_lane(new) and self._has_places(new, 1)

    def _cancel_previous(self, known: ModelSchedule) -> None:
        assert known.last_job is not None
        previous = self.jobs[known.last_job]
        if previous.asked_us is None:
            self.hit("schedule.overlap_cancel")
            self._cancel(previous)

    def _submit_firing(self, known: ModelSchedule, key: str, jitter_us: int) -> tuple[int | None, int | None]:
        """What is made: a job, or a run."""
        public_id = self._firing_ids.get(key)
        if public_id is None:
            raise Refused(f"a job under the key {key}")
        return self._add(_job(known.definition, key, jitter_us), public_id, None, None).number, None

    def _has_lane(self, new: NewJob) -> bool:
        return len(self.lanes | {(new.queue, new.kind, new.version)}) <= self.limits.queues_max

    def _note(self, what: str, name: str) -> None:
        self.touched.add(name)
        self.noted[f"schedule.{what}"] += 1


def instants(definition: Schedule, created_us: int, after_us: int, until_us: int) -> list[int]:
    """The instants that a schedule names, later than one and not later than another, counted one by one."""
    if definition.at_us is not None:
        return [definition.at_us] if after_us < definition.at_us <= until_us else []
    if definition.every_seconds is not None:
        every_us = round(definition.every_seconds * _US)
        first = created_us + max(0, -(-(after_us + 1 - created_us) // every_us)) * every_us
        return list(range(first, until_us + 1, every_us))
    step = _cron_step(definition)
    seconds = range(after_us // _US + 1, until_us // _US + 1)
    return [second * _US for second in seconds if second % _MINUTE % step == 0]


def _following(definition: Schedule, created_us: int, after_us: int) -> int | None:
    """The first instant later than one. No schedule of these worlds leaves more than an hour between two."""
    until_us = after_us + _HOUR_US
    if definition.at_us is not None:
        until_us = definition.at_us
    return next(iter(instants(definition, created_us, after_us, until_us)), None)


def _cron_step(definition: Schedule) -> int:
    """Of the one form of cron that is used here: every so many seconds of a minute."""
    assert definition.cron is not None
    field, _, rest = definition.cron.partition(" ")
    assert field.startswith("*/")
    assert rest == "* * * * *"
    return int(field.removeprefix("*/"))


def firing_name(definition: Schedule, instant: int) -> str:
    """What a firing is called: the time on the wall, here in UTC, or the instant itself."""
    text = (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "")
    return text if definition.cron is not None else f"{text}Z"


def _key(definition: Schedule, instant: int) -> str:
    return f"schedule:{definition.name}:{firing_name(definition, instant)}"


def _jitter_us(definition: Schedule, key: str) -> int:
    ceiling = round(definition.jitter_seconds * _US)
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    return drawn % ceiling if ceiling else 0


def _job(definition: Schedule, key: str, jitter_us: int) -> NewJob:
    """The job of a firing: every option of a stored definition is filled in."""
    assert definition.submission is not None
    options, data = definition.submission.options, canonical(definition.submission.input)
    assert options.queue is not None
    assert options.priority is not None
    assert options.attempts_max is not None
    seconds = (
        options.backoff_base_seconds,
        options.backoff_max_seconds,
        options.run_timeout_seconds,
        options.queue_timeout_seconds,
        options.deadline_seconds,
    )
    base_us, cap_us, run_us, queue_us, deadline_us = (round((one or 0.0) * _US) for one in seconds)
    return NewJob(
        kind=definition.submission.kind,
        queue=options.queue,
        priority=options.priority,
        delay_us=round(options.delay_seconds * _US) + jitter_us,
        key=key,
        digest=digest(data),
        input=data,
        attempts_max=options.attempts_max,
        backoff_base_us=base_us,
        backoff_cap_us=cap_us,
        run_timeout_us=run_us,
        queue_timeout_us=queue_us,
        deadline_after_us=deadline_us,
        after=(),
        after_failure=options.after_failure,
        tags=options.tags,
        cost=options.cost,
        partition=options.partition,
        criticality=options.criticality or "normal",
        version=options.version or 1,
        is_version_asked=True,
    )
