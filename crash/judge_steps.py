"""Durable steps before the judge: each that is recorded has its row, was done, and was not done again later."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

import apsw

from crash.effects import Effect
from crash.stories import Journal, Step

__all__ = ["steps_as_done", "steps_as_kept"]

_Row = tuple[int, str, bool, str, int]


def steps_as_kept(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    """The rows of steps against the journal."""
    rows: dict[int, list[_Row]] = {}
    query = "SELECT number, step, name, failed, output, payload, entry FROM step ORDER BY number, step"
    for number, step, name, failed, output, payload, entry in connection.execute(query):
        digest = payload.hex() if payload is not None else hashlib.sha256(output or b"").hexdigest()
        rows.setdefault(number, []).append((step, name, bool(failed), digest, entry))
    for number in sorted(rows.keys() - journal.stories.keys()):
        yield f"job number {number} has steps and was never submitted"
    for number, story in journal.stories.items():
        told = [(one.step, one.name, one.failed, one.digest, one.entry) for one in story.steps]
        if story.pruned_by is None and rows.get(number, []) != told:
            yield f"{story.id} has the steps {rows.get(number, [])}, by its story {told}"


def steps_as_done(journal: Journal, effects: list[Effect]) -> Iterator[str]:
    """Handlers against the journal. A step that an attempt has begun may be done again until it is recorded."""
    recorded: dict[str, Step] = {
        f"{story.id}/{step.name}": step
        for story in journal.stories.values()
        for step in story.steps
        if not step.name.startswith("wait:")
    }
    seen = Counter((effect.job, effect.fence) for effect in effects)
    for (key, fence), count in seen.items():
        if count > 1:
            yield f"step {key} was done {count} times under fence {fence}"
        step = recorded.get(key)
        if step is not None and fence > step.fence:
            yield f"step {key} was recorded under fence {step.fence}, and done again under {fence}"
    for key, step in recorded.items():
        if (key, step.fence) not in seen:
            yield f"step {key} was recorded under fence {step.fence}, under which nobody did it"
