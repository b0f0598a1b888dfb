"""What is told of calls that block the loop: aloud once a minute for each place."""

from __future__ import annotations

import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.watchdog import Blocked
from sheratan.contracts.telemetry import Event, LoopBlocked
from sheratan.engine.telemetry import Telemetry
from sheratan.wiring import blocking
from sheratan.wiring.blocking import Blocking

FOUND = Blocked(150_000, False, "slow", "mail.py", 7, "mail.py:9 send > mail.py:7 slow", None)
MINUTE_US = 60_000_000


class Told:
    """Blocking calls as they are told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        telemetry = Telemetry(self.clock)
        telemetry.listen("test", self._hear, "debug")
        self.blocking = Blocking(telemetry, self.clock, 0.1)
        self.events: list[LoopBlocked] = []

    def _hear(self, event: Event) -> None:
        assert type(event) is LoopBlocked
        self.events.append(event)

    def tell(self, line: int = 7, *, after_us: int = 0) -> bool:
        """A call has blocked the loop; whether it was told of aloud."""
        self.clock.advance(after_us)
        self.blocking.tell(FOUND._replace(line=line))
        return self.events[-1].level == "warning"


def test_a_place_is_told_of_aloud_once_a_minute() -> None:
    told = Told()
    assert told.tell()
    assert not told.tell()
    assert told.tell(8), "another place"
    assert not told.tell(after_us=MINUTE_US - 1)
    assert told.tell(after_us=1)
    first = told.events[0]
    assert (first.blocked_us, first.still, first.function, first.file, first.line) == (
        150_000,
        False,
        "slow",
        "mail.py",
        7,
    )
    assert (first.calls, first.job, first.kind) == (FOUND.calls, None, None)


def test_places_without_number_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "PLACES_MAX", 3)
    told = Told()
    assert all(told.tell(line) for line in range(3))
    assert not told.tell(0)
    assert told.tell(3)
    assert len(told.blocking._told_us) == 1
    assert told.tell(0)
