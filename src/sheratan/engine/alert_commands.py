"""The command about alerts."""

from __future__ import annotations

import msgspec

from sheratan.contracts.alert_targets import AlertSeverity

__all__ = ["Finding", "NoteAlerts", "Told"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of something that is watched, as evidence; `seen_us` is when, as recorded."""

    subject: str
    severity: AlertSeverity
    value: int
    threshold: int
    held_us: int
    hold_us: int
    text: str
    affected: tuple[str, ...]
    seen_us: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A notice of what was found at `seen_us`: which targets took it, and which were given up on."""

    subject: str
    seen_us: int
    taken: tuple[str, ...]
    given_up: tuple[str, ...]
    held_back: bool


class NoteAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """Raise or clear alerts by what was found, and note of which it was told.

    Answered with the entry of each finding; None where the alert is so already.
    """

    findings: tuple[Finding, ...]
    told: tuple[Told, ...]
