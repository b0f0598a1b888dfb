"""Planted bugs in alerts: nobody hears of what is wrong, or hears of it too often, or the journal says otherwise."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_LOOP = "engine/alerting.py"
_ENGINE = "engine/alerts.py"
_RULE = "kernel/alerting.py"

BUGS: Final = (
    Bug(
        "alert-misses-breakers-of-workers",
        "what a worker tells of its breakers is not kept",
        "liveness",
        "H7",
        (
            Change(
                "engine/workers.py",
                "session_of(batch, command.session).breakers = command.breakers",
                "session_of(batch, command.session).breakers = ()",
            ),
        ),
    ),
    Bug(
        "alert-is-never-cleared",
        "what is well again stays open as an alert",
        "liveness",
        "H7",
        (
            Change(
                _LOOP,
                "            if fact.is_open and subject not in found:\n",
                "            if fact.is_open and not found:\n",
            ),
        ),
    ),
    Bug(
        "alert-is-raised-without-lasting",
        "what is wrong for a moment is raised",
        "safety",
        "H7",
        (Change(_RULE, "    if held_us < hold_us:\n", "    if held_us < 0:\n"),),
    ),
    Bug(
        "alert-forgets-since-when",
        "what is wrong never lasts, as each look begins anew",
        "liveness",
        "H7",
        (
            Change(
                _LOOP,
                "known if known is not None and known.is_beyond == beyond else",
                "known if known is not None and known.is_beyond != beyond else",
            ),
        ),
    ),
    Bug(
        "alert-is-lost-when-nothing-can-be-committed",
        "what could not be written down is forgotten, and what cannot be is told to nobody",
        "liveness",
        "H7",
        (
            Change(
                _LOOP,
                "            for change in changes:\n                self._tell_once(change, UNWRITTEN)\n",
                "            self._unwritten.clear()\n",
            ),
        ),
    ),
    Bug(
        "alert-is-told-again-once-it-is-written",
        "who heard of an alert that could not be written down hears of it again once it is",
        "safety",
        "H7",
        (Change(_LOOP, "            change.is_told = True\n", ""),),
    ),
    Bug(
        "alert-is-not-told-after-a-start",
        "of what was raised before the engine was killed nobody is told",
        "liveness",
        "H7",
        (Change(_LOOP, "            if not fact.is_told and is_news:\n", "            if False:\n"),),
    ),
    Bug(
        "alert-counts-as-told-too-early",
        "a notice of what has changed since counts as one of how it is now",
        "safety",
        "J14",
        (
            Change(
                _ENGINE,
                "    is_told = known.is_told or told.seen_us == known.seen_us\n",
                "    is_told = True\n",
            ),
        ),
    ),
    Bug(
        "alert-of-a-halt-is-not-seen",
        "the state that cannot be written down is not looked at",
        "liveness",
        "H7",
        (
            Change(
                "engine/alert_measures.py",
                "    severity = ANY_SEVERITY.get(state)\n",
                '    severity = ANY_SEVERITY.get(state) if state != "halted" else None\n',
            ),
        ),
    ),
    Bug(
        "target-that-is-silent-stops-all",
        "a target that says nothing is waited for without end",
        "liveness",
        "H7",
        (
            Change(
                "engine/outbox.py",
                "timeout_seconds=settings.timeout_seconds",
                "timeout_seconds=3_600.0",
            ),
        ),
    ),
)
