"""The window of a lane against a plain sorted list: whatever comes and goes, its head is the list's head."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sheratan.engine.window import REFILL_JOBS, WINDOW_JOBS_MAX, Backlog, Window
from sheratan.store.rows import Ready


def ready(priority: int, number: int) -> Ready:
    return Ready(1, priority, number, 1, 0, 0, 0)


class WindowMachine(RuleBasedStateMachine):
    """The list stands for the database: it holds all ready jobs, the window only some."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[Ready] = [ready(number % 3, number) for number in range(1, 1_500)]
        self.stored.sort(key=lambda row: (row.priority, row.number))
        self.next_number = 1_500
        self.backlog = Backlog()
        self.backlog.depth = len(self.stored)
        self.window = Window(len(self.stored), self.backlog)

    @rule(priority=st.integers(0, 3), count=st.sampled_from([1, 2, 700, 1_300]))
    def add(self, priority: int, count: int) -> None:
        for _ in range(count):
            row = ready(priority, self.next_number)
            self.next_number += 1
            self.stored.append(row)
            self.window.add(row)
        self.stored.sort(key=lambda row: (row.priority, row.number))

    @precondition(lambda self: self.stored)
    @rule(place=st.floats(0, 0.999))
    def remove_any(self, place: float) -> None:
        self.window.remove(self.stored.pop(int(len(self.stored) * place)))

    @rule(count=st.sampled_from([1, 5, 900, 2_500]))
    def take_the_head(self, count: int) -> None:
        for row in self.window.head(count):
            assert row == self.stored.pop(0)
            self.window.remove(row)

    @rule()
    def come_back(self) -> None:
        """A job that was taken comes back, maybe before all others."""
        row = ready(0, 0)
        if not any(one.number == 0 for one in self.stored):
            self.stored.insert(0, row)
            self.window.add(row)

    @rule()
    def refill(self) -> None:
        if self.window.wants_refill:
            after = self.window.edge
            later = [row for row in self.stored if (row.priority, row.number) > after]
            self.window.refill(later[:REFILL_JOBS])

    @invariant()
    def the_head_is_the_head(self) -> None:
        assert self.window.head(len(self.stored) + 1) == self.stored[: len(self.window)]

    @invariant()
    def the_counts_are_right(self) -> None:
        assert self.window.depth == self.backlog.depth == len(self.stored)
        assert len(self.window) <= WINDOW_JOBS_MAX
        assert not self.window.whole or len(self.window) == len(self.stored)

    @invariant()
    def what_is_not_there_is_asked_for(self) -> None:
        if self.stored and not len(self.window):
            assert self.window.wants_refill

    @invariant()
    def a_job_is_found_if_and_only_if_it_is_there(self) -> None:
        if self.stored:
            assert self.window.find(self.stored[0].number) in (None, self.stored[0])
        assert self.window.find(10**9) is None


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = settings(stateful_step_count=30)
