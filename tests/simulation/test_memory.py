"""The comparison of an engine's memory with what is stored: each thing by a case that goes unnoticed without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.engine.commands import LimitStarts, Pause
from sheratan.engine.state import State
from sheratan.engine.window import REFILL_JOBS
from sheratan.kernel.chain import Head
from sheratan.simulation.memory import memory_faults
from tests.engine.world import World

NUMBER = 1
LANE = 1


@pytest.fixture
def world() -> Iterator[World]:
    """Something of everything: a running, a ready, a blocked and a delayed job, and a queue that is paused."""
    made = World()
    paced = FlowLimits(concurrency=1, rate=Rate(count=1, period_seconds=60))
    made.ask(LimitStarts(subject="kind:work", limits=paced, reason=""))
    first = made.submit()
    made.submit("other")
    made.lease(made.register(), 1)
    made.submit()
    made.submit(after=(first,))
    made.submit(delay_seconds=5)
    made.ask(Pause(subject="queue:quiet", reason=""))
    assert memory_faults(made.state) == []
    yield made
    made.close()


def forget_session(state: State) -> None:
    [session] = state.sessions.values()
    session.held.clear()


def forget_depth(state: State) -> None:
    state.backlogs["default", "default"].depth += 1


def other_entry(state: State) -> None:
    held = state.held[NUMBER]
    state.held[NUMBER] = replace(held, lease=held.lease._replace(entry=0))


def other_row(state: State) -> None:
    window = state.windows[LANE]
    [row] = window.head(2)
    window._rows[row.number] = row._replace(attempt=7)


# What is remembered wrongly, and what is said of it.
CHANGES: list[tuple[Callable[[State], object], str]] = [
    (lambda state: setattr(state, "head", Head()), "the end of the journal"),
    (lambda state: setattr(state, "next_number", 1), "the next number"),
    (lambda state: state.held.clear(), "the leases"),
    (other_entry, "the leases"),
    (lambda state: setattr(state, "blocked", 0), "the number of blocked jobs"),
    (lambda state: state.blocking.update({NUMBER: {"old"}}), "the code that has blocked jobs"),
    (lambda state: state.asking.update({7: {7}}), "the open approvals"),
    (lambda state: state.lanes.popitem(), "the lanes"),
    (lambda state: state.busy_lanes.clear(), "the lanes with ready jobs"),
    (lambda state: state.flow.rows.clear(), "what is set for queues and kinds"),
    (lambda state: setattr(state, "policy", -1), "the policy"),
    (lambda state: setattr(state, "engine_entry", None), "the last entry about the engine"),
    (lambda state: setattr(state, "next_due_us", None), "the next timer"),
    (lambda state: setattr(state, "next_due_us", 1 << 60), "the next timer"),
    (lambda state: state.flow.paces.clear(), "how far rates are used up"),
    (lambda state: state.flow.bound.clear(), "the limits of the lanes"),
    (
        lambda state: state.flow.running.update({("default", "kind:work"): 7}),
        "the running jobs of what is limited",
    ),
    (forget_depth, "the ready jobs of queue default"),
    (forget_session, "the jobs of worker:w/"),
    (other_row, "the ready jobs of lane 1"),
    (lambda state: setattr(state.windows[LANE], "depth", 0), "the ready jobs of lane 1"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=range(len(CHANGES)))
def test_what_is_remembered_wrongly_is_told(
    world: World, change: Callable[[State], object], said: str
) -> None:
    change(world.state)
    assert any(fault.startswith(said) for fault in memory_faults(world.state))


def test_a_timer_that_wakes_the_engine_too_early_is_no_fault(world: World) -> None:
    world.state.next_due_us = 0
    assert memory_faults(world.state) == []


def test_a_window_is_whole_only_when_every_ready_job_is_in_it() -> None:
    world = World()
    for _ in range(REFILL_JOBS + 1):
        world.submit()
    world.restart()
    world.tick()
    assert memory_faults(world.state) == []
    window = world.state.windows[LANE]
    assert len(window) == REFILL_JOBS < window.depth
    window.whole = True
    assert memory_faults(world.state) == ["lane 1 is held to be whole in memory, and is not"]
    world.close()
