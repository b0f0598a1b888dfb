"""What attempts of the storage script wait for: a signal or, where people are asked, an approval."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sheratan.contracts.worker import Assignment, Report, Wait
from sheratan.engine import commands
from sheratan.engine.prepare import prepare_reports
from sheratan.kernel.approval import Terms
from sheratan.kernel.canonical import digest

if TYPE_CHECKING:
    from crash.storage_world import Workshop

__all__ = ["wait_for_somebody"]


async def wait_for_somebody(shop: Workshop, given: Assignment, number: int, draw: random.Random) -> None:
    """Wait for a signal or, every other time, for an approval that may come before, or never."""
    if number % 2:
        await shop.park(given, draw.randrange(1, 60))
        return
    subject = f'"{"s" * draw.choice((0, 20, 4_000))}"'.encode()
    name, occurrence, question = "wait:approval", given.steps + 1, f"May step {number}?"
    approval = await shop.ask(
        commands.Ask(
            number=given.number,
            fence=given.fence,
            name=name,
            occurrence=occurrence,
            question=question,
            subject=subject,
            self_approval=True,
            seconds=draw.randrange(1, 60),
        )
    )
    if draw.random() < 0.7:
        terms = Terms(given.id, name, occurrence, question, digest(subject), (), 1, True)
        verdict = draw.choice(("approve", "deny"))
        await shop.ask(commands.Vote(id=approval, verdict=verdict, digest=terms.digest()))
    wait = Wait(name=name, occurrence=occurrence, what="approval", key=approval)
    report = Report(number=given.number, fence=given.fence, outcome="waiting", waits=(wait,))
    reports = prepare_reports([report], shop.engine.limits)
    await shop.ask(commands.Settle(session=shop.session, reports=reports))
