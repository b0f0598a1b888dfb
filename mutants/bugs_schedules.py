"""Planted bugs of schedules: firings that come early, twice, never, or for nothing, and policies that are not kept."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_FIRINGS = "engine/firings.py"
_SCHEDULES = "engine/schedules.py"

BUGS = (
    Bug(
        "fires-early",
        "a schedule fires two seconds before its time",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                "state.store.schedules_due(batch.at_us, _AT_ONCE)",
                "state.store.schedules_due(batch.at_us + 2_000_000, _AT_ONCE)",
            ),
            Change(
                _FIRINGS, "first.instant_us > batch.at_us:", "first.instant_us > batch.at_us + 2_000_000:"
            ),
            Change(
                _FIRINGS,
                "or state.next_firing_us > batch.at_us\n",
                "or state.next_firing_us > batch.at_us + 2_000_000\n",
            ),
        ),
    ),
    Bug(
        "fires-twice",
        "a firing is dealt with and not remembered",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                "    done = row._replace(after_us=firing.instant_us, due_us=due_us)\n",
                "    done = row._replace(due_us=due_us)\n",
            ),
        ),
    ),
    Bug(
        "firing-has-no-key-of-its-own",
        "a firing does not look whether its job was submitted before",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS, "    if before is not None:\n", "    if before is not None and row.name == '':\n"
            ),
        ),
    ),
    Bug(
        "paused-schedule-fires",
        "a schedule that is paused keeps its next firing",
        "safety",
        "E17",
        (
            Change(
                _SCHEDULES,
                'put(batch, row._replace(state="paused", due_us=None, entry=entry))',
                'put(batch, row._replace(state="paused", entry=entry))',
            ),
        ),
    ),
    Bug(
        "deleted-schedule-fires",
        "a schedule that is deleted in the batch in which it is due fires all the same",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                "        if (row.tenant, row.name) not in batch.unit.schedules:\n",
                "        if row.name:\n",
            ),
        ),
    ),
    Bug(
        "pause-is-made-up-for",
        "what fell into a pause counts as missed",
        "safety",
        "E17",
        (
            Change(
                _SCHEDULES,
                'state="active", after_us=batch.at_us, due_us=due_us, entry=entry',
                'state="active", due_us=due_us, entry=entry',
            ),
        ),
    ),
    Bug(
        "missed-are-forgotten",
        "a decision about missed firings is recorded and not kept to",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                "    row = row._replace(after_us=after_us, due_us=due_us, entry=entry)\n    put(batch, row)\n",
                "    put(batch, row._replace(entry=entry))\n",
            ),
        ),
    ),
    Bug(
        "missed-max-ignored",
        "as many missed firings are made up for as are listed, whatever missed_max says",
        "safety",
        "E16",
        (Change(_FIRINGS, '"missed_max": known.schedule.missed_max,', '"missed_max": 1_000,'),),
    ),
    Bug(
        "on-time-is-shorter",
        "a firing counts as missed after a second",
        "safety",
        "E17",
        (Change(_FIRINGS, "_TOLERANCE_US: Final = ON_TIME_SECONDS * _US", "_TOLERANCE_US: Final = _US"),),
    ),
    Bug(
        "overlap-never-asks",
        "a firing does not look for the job before it",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS, "    if row.last_job is None:\n", "    if row.last_job is None or row.last_job:\n"
            ),
        ),
    ),
    Bug(
        "previous-is-not-cancelled",
        "a firing is to cancel the job before it, says so, and does not",
        "safety",
        "E17",
        (Change(_FIRINGS, "            _cancel(batch, previous, row, entry)\n", "            pass\n"),),
    ),
    Bug(
        "jitter-forgotten",
        "the jobs of firings start without their jitter",
        "safety",
        "E17",
        (Change(_SCHEDULES, "job.delay_us + jitter_us(schedule, firing.id)", "job.delay_us"),),
    ),
    Bug(
        "refused-firing-is-lost",
        "a firing whose job is refused counts as dealt with",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                '        _postpone(batch, row, {"due_us": batch.at_us + _SOON_US}, decision=refused)\n',
                "        following = known.timetable.next_after(firing.instant_us)\n"
                "        due_us = None if following is None else following.instant_us\n"
                '        _postpone(batch, row, {"due_us": due_us}, decision=refused)\n',
            ),
        ),
    ),
    Bug(
        "drain-fires",
        "schedules fire while the engine drains",
        "safety",
        "E17",
        (
            Change(
                _FIRINGS,
                'state.allowed.dispatch != "allow"\n',
                '(state.allowed.dispatch != "allow" and state.system.current != "draining")\n',
            ),
        ),
    ),
    Bug(
        "next-firing-not-looked-up",
        "when a schedule has fired, nobody looks when the next one is due",
        "liveness",
        "E9",
        (
            Change(
                "engine/decider.py",
                "            self.state.next_firing_us = self.store.next_firing_us()\n",
                "            self.state.next_firing_us = self.state.next_firing_us or self.store.next_firing_us()\n",
            ),
        ),
    ),
    Bug(
        "schedules-not-read-at-start",
        "an engine that starts does not know when the next schedule is due",
        "liveness",
        "E9",
        (
            Change(
                "engine/state.py",
                "store.next_due_us(), store.next_firing_us()",
                "store.next_due_us(), None",
            ),
        ),
    ),
    Bug(
        "deposed-engine-spins",
        "an engine whose schedules another one has let fire looks for them for ever",
        "liveness",
        "E9",
        (Change(_FIRINGS, "    batch.fired = True\n", ""),),
    ),
    Bug(
        "schedules-are-not-counted",
        "there may be more schedules than schedules_max",
        "safety",
        "E16",
        (Change(_SCHEDULES, "    batch.state.schedule_count += 1\n", ""),),
    ),
    Bug(
        "replaced-without-being-asked",
        "a schedule takes another's place although nobody asked for that",
        "safety",
        "E7",
        (Change(_SCHEDULES, "    if not command.replaces:\n", "    if not command.definition:\n"),),
    ),
    Bug(
        "backfill-in-part",
        "a backfill that is refused has submitted the jobs before the refused one",
        "safety",
        "E2",
        (
            Change(
                _SCHEDULES,
                "            refuse(batch, plan, by)\n        plans.append(plan)\n",
                "            break\n        plans.append(plan)\n",
            ),
        ),
    ),
    Bug(
        "backfill-is-the-job-before",
        "a job that was backfilled is the one before the next firing",
        "safety",
        "E14",
        (
            Change(
                _SCHEDULES,
                "    put(batch, row._replace(entry=entry))\n    return entry",
                "    put(batch, row._replace(entry=entry, last_job=batch.unit.next_number))\n    return entry",
            ),
        ),
    ),
    Bug(
        "triggered-once-more-under-its-key",
        "a schedule that is triggered under one key twice is asked for its work twice",
        "safety",
        "E7",
        (
            Change(
                _SCHEDULES,
                "    firing = trigger_firing(key, batch.at_us)\n",
                '    firing = trigger_firing(f"{key}-{batch.at_us}", batch.at_us)\n',
            ),
        ),
    ),
    Bug(
        "paused-schedule-cannot-be-triggered",
        "a schedule that is paused refuses to be triggered",
        "safety",
        "docs/how-to/schedule.md",
        (
            Change(
                _SCHEDULES,
                "    made = find_made(batch, row, firing)\n    if made is not None:\n",
                "    made = find_made(batch, row, firing)\n"
                '    if row.state == "paused":\n        raise NotFound("it is paused", field="name")\n'
                "    if made is not None:\n",
            ),
        ),
    ),
    Bug(
        "trigger-adds-the-jitter",
        "a schedule that is triggered begins as late as its timetable would have it",
        "safety",
        "docs/how-to/schedule.md",
        (
            Change(
                _SCHEDULES,
                "        new = replace(job, key=firing_key(row.name, firing.id))\n",
                "        new = scheduled_job(definition_of(batch, row).schedule, job, firing)\n",
            ),
        ),
    ),
    Bug(
        "job-does-not-name-its-firing",
        "the job of a firing names no cause",
        "explanation",
        "E17",
        (
            Change(
                "engine/intake.py",
                "    _take_in(batch, plan, job, by, entry)\n",
                "    _take_in(batch, plan, job, by, None)\n",
            ),
        ),
    ),
    Bug(
        "schedule-acts-for-nobody",
        "the jobs of a schedule run on behalf of the engine",
        "explanation",
        "J10",
        (
            Change(
                _FIRINGS, "on_behalf_of=row.on_behalf_of, tenant", "on_behalf_of=ENGINE.on_behalf_of, tenant"
            ),
        ),
    ),
    Bug(
        "run-before-forgotten",
        "a firing does not look whether the run before it is still open",
        "safety",
        "docs/how-to/schedule.md",
        (Change(_FIRINGS, "    if row.last_run is not None:\n", "    if False:\n"),),
    ),
    Bug(
        "runs-made-up-for-without-room",
        "a backfill begins more runs than may be open",
        "safety",
        "E16",
        (Change(_SCHEDULES, "    check_room(batch, len(firings))\n", "    check_room(batch)\n"),),
    ),
    Bug(
        "begun-again-under-its-key",
        "a firing does not see the run that was begun for it before",
        "safety",
        "E17",
        (
            Change(
                _SCHEDULES,
                "    return find_run_of_key(batch, row.tenant, name) if key is None else",
                "    return None if key is None else",
            ),
        ),
    ),
)
