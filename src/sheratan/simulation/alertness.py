"""Whether what is wrong for long is raised and told, and what is well for long is cleared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sheratan.contracts.alerts import AlertSettings
from sheratan.kernel.alerting import AlertFact
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.model import Model
from sheratan.simulation.server import Server

__all__ = ["AlertLookout"]

_HOLD_US: Final = 10_000_000
"""The longest that anything has to last here before it counts."""

_SLACK_US: Final = 5_000_000
_TOLD_US: Final = 120_000_000
_SLOWLY_TOLD_US: Final = 300_000_000
"""A target is tried three times for a few seconds each, and there are not many notices before. It may be told of one a
minute only."""


class AlertLookout:
    """Looks while nobody is at work, after each batch and as time goes on: what has been so for long must show."""

    def __init__(self, clock: SimulatedClock, settings: AlertSettings | None) -> None:
        self._clock = clock
        self._settings = settings
        self._server: Server | None = None
        self._undisturbed_us = 0
        self._since: dict[object, int] = {}
        """What is so, and since when."""

    def disturb(self, until_us: int) -> None:
        """Nobody can look before this instant."""
        self._undisturbed_us = max(self._undisturbed_us, until_us)

    def find_late(self, model: Model, server: Server) -> str | None:
        """What has not been raised, cleared or told in time, in a sentence."""
        now_us, alerting = self._clock.monotonic_us(), server.alerting
        if server is not self._server:
            self._server, self._undisturbed_us = server, now_us
        if self._settings is None or alerting is None:
            return None
        opened = {fact.subject: fact for fact in alerting.standing().values() if fact.is_open}
        wrong, untold = _wrong(model), _untold(model, opened.values())
        self._since = {fact: self._since.get(fact, now_us) for fact in (*wrong.items(), *untold)}
        late_us = _HOLD_US + round(2 * self._settings.interval_seconds * 1_000_000) + _SLACK_US
        return self._unseen(wrong, opened, late_us) or self._unheard(untold) or alerting.bug

    def has_untold(self, model: Model, server: Server) -> bool:
        """Whether somebody is still to be told of something, which is late at some time."""
        if self._settings is None or server.alerting is None:
            return False
        return bool(_untold(model, server.alerting.standing().values()))

    def _unseen(self, wrong: dict[str, bool], opened: Collection[str], late_us: int) -> str | None:
        """Something that was wrong, or was not, for so long that it should show."""
        for subject, is_wrong in wrong.items():
            if (subject in opened) != is_wrong and self._lasts_us((subject, is_wrong)) > late_us:
                return f"{subject} has long been wrong: {is_wrong}; the alerts {sorted(opened)} are open"
        return None

    def _unheard(self, untold: set[tuple[str, int]]) -> str | None:
        """What nobody was told of, and is not known to have been given up either."""
        assert self._settings is not None
        most_us = _TOLD_US if self._settings.notices_per_minute > 1 else _SLOWLY_TOLD_US
        late = [fact for fact in untold if self._lasts_us(fact) > most_us]
        return f"nobody was told for long of {late}" if late else None

    def _lasts_us(self, fact: object) -> int:
        """For how long something has been so while somebody looked."""
        return self._clock.monotonic_us() - max(self._since[fact], self._undisturbed_us)


def _untold(model: Model, facts: Iterable[AlertFact]) -> set[tuple[str, int]]:
    """The open alerts of which nobody was told, as far as that can be written down: what about, and since when."""
    if model.is_halted:
        return set()
    return {(fact.subject, fact.seen_us) for fact in facts if fact.is_open and not fact.is_told}


def _wrong(model: Model) -> dict[str, bool]:
    """What is watched here, and whether it is wrong."""
    system = "draining" if model.draining else model.system
    bad = ("degraded_minor", "degraded_critical", "halted")
    return {
        "alert:dead_letters": any(job.is_dead for job in model.jobs.values()),
        "alert:breaker/model": any(worker.breakers for worker in model.workers.values()),
        **{f"alert:state/{state}": system == state for state in bad},
    }
