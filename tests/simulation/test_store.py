"""The simulated store: what a process that dies leaves behind for the next one."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.errors import DataDirectoryInUse
from sheratan.contracts.limits import Limits
from sheratan.engine.decider import Decider
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.options import draw_options
from sheratan.simulation.store import Killed, SimulatedStorage, SimulatedStore
from sheratan.store.unit import Unit


def begin(store: SimulatedStore) -> Unit:
    """Take the store over, as an engine does; returns what it is about to commit."""
    return Decider(store, VirtualClock(), SeededRandomness(1), Limits()).start("test").unit


def dies_at(statement: int) -> bool:
    """Let an owner that was deposed die before that statement of its commit; returns whether it came so far."""
    choices = Choices(0, {"crash.statement": [0] * statement + [999]})
    options = draw_options(Choices(0, {}))
    options = replace(options, storage="disk", rates={**options.rates, "crash.statement": 1})
    storage = SimulatedStorage(SimulatedLoop(choices, "fifo"), choices, Coverage(), options)
    died: list[str] = []
    try:
        first, _ = storage.open(0, lambda: died.append("first"))
        late = begin(first)
        second, _ = storage.open(0, lambda: died.append("second"))
        unit = begin(second)
        with suppress(Killed, DataDirectoryInUse):
            first.commit(late)
        if died:
            second.commit(unit)
        return died == ["first"]
    finally:
        storage.close()


def test_an_owner_that_dies_while_it_is_refused_holds_up_no_other() -> None:
    statements = 0
    while dies_at(statements):
        statements += 1
    assert statements >= 2  # BEGIN, what finds it deposed, and what takes that back
