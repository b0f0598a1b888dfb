"""Alerts: one that is open, one that was cleared and is open again, one that nobody took, one that was held back."""

from __future__ import annotations

from sheratan.contracts.principal import ENGINE
from sheratan.engine.alert_commands import Finding, NoteAlerts, Told
from tests.journal.world import World

QUEUE, LETTERS, STATE = "alert:queue_age/queue:default", "alert:dead_letters", "alert:state/degraded_minor"


def open_and_cleared_alerts(world: World) -> None:
    """Raised, told, cleared and raised again; each batch by itself, and two changes in one."""
    world.tick(60)
    _note(world, _found(world, QUEUE, 1_000, affected=("queue:default",)))
    _note(world, told=(_told(world, QUEUE, taken=("ops",)),))
    world.tick(60)
    _note(world, _found(world, QUEUE, 0), _found(world, LETTERS, 950))
    world.tick(60)
    _note(world, told=(_told(world, QUEUE, given_up=("ops",)), _told(world, LETTERS, held_back=True)))
    _note(world, _found(world, QUEUE, 1_000), _found(world, STATE, 900), _found(world, LETTERS, 950))
    world.tick(60)


def _found(world: World, subject: str, value: int, affected: tuple[str, ...] = ()) -> Finding:
    return Finding(
        subject=subject,
        severity="warning",
        value=value,
        threshold=900,
        held_us=60_000_000,
        hold_us=60_000_000,
        text=f"{value} was measured",
        affected=affected,
        seen_us=world.decider.recorded_us() - 1_000,
    )


def _told(
    world: World,
    subject: str,
    taken: tuple[str, ...] = (),
    given_up: tuple[str, ...] = (),
    *,
    held_back: bool = False,
) -> Told:
    seen_us = world.decider.state.alerts[subject].seen_us
    return Told(subject=subject, seen_us=seen_us, taken=taken, given_up=given_up, held_back=held_back)


def _note(world: World, *findings: Finding, told: tuple[Told, ...] = ()) -> None:
    world.ask(NoteAlerts(findings=findings, told=told), ENGINE)
