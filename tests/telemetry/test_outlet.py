"""A listener in a thread of its own: stuck, slow or broken, it costs nobody but itself."""

from __future__ import annotations

import queue
import threading

import pytest

from sheratan.ambient.clock import SystemClock
from sheratan.contracts.telemetry import EngineHalted, Event, EventsDropped
from sheratan.engine.telemetry import Telemetry
from sheratan.telemetry import outlet as module
from sheratan.telemetry.outlet import Outlet

SECONDS_MAX = 20
EVENT = EngineHalted(at_us=7, reason="a test")


def attached(listener: object) -> tuple[Telemetry, Outlet]:
    telemetry = Telemetry(SystemClock())
    outlet = Outlet(telemetry, "slow", listener)  # type: ignore[arg-type]
    telemetry.listen("slow", outlet, "debug")
    return telemetry, outlet


def test_events_are_heard_in_order_and_a_stop_waits_for_the_rest() -> None:
    heard: list[Event] = []
    telemetry, outlet = attached(heard.append)
    events = [EngineHalted(at_us=number, reason="") for number in range(100)]
    for event in events:
        telemetry.emit(event)
    outlet.stop()
    assert heard == events


def test_a_listener_that_is_stuck_holds_up_neither_the_engine_nor_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVENTS_WAITING_MAX", 10)
    monkeypatch.setattr(module, "_END_SECONDS_MAX", 0)
    is_stuck, goes_on, heard = threading.Event(), threading.Event(), queue.Queue[Event]()

    def stuck(event: Event) -> None:
        is_stuck.set()
        assert goes_on.wait(SECONDS_MAX)
        heard.put(event)

    telemetry, outlet = attached(stuck)
    telemetry.emit(EVENT)
    assert is_stuck.wait(SECONDS_MAX)
    for _ in range(15):
        telemetry.emit(EVENT)
    assert telemetry.dropped == {"slow": 5}
    outlet.stop()
    goes_on.set()
    told = [heard.get(timeout=SECONDS_MAX) for _ in range(12)]
    assert told == [EVENT, EventsDropped(at_us=7, listener="slow", count=5), *[EVENT] * 10]


def test_a_listener_that_raises_in_its_thread_is_counted_and_hears_the_next_event() -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise OSError("no room on the disk")

    telemetry, outlet = attached(broken)
    telemetry.emit(EVENT)
    telemetry.emit(EVENT)
    outlet.stop()
    assert telemetry.dropped == {"slow": 1}
    assert heard == [EVENT, EventsDropped(at_us=7, listener="slow", count=1), EVENT]
