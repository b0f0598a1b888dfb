"""Simulated people: they decide what handlers ask, send signals, hand their say on, and mix things up."""

from __future__ import annotations

import asyncio

from sheratan.contracts import api
from sheratan.contracts.approvals import (
    ApprovalPage,
    ApprovalRecord,
    DecideApproval,
    DelegateApproval,
    ListApprovals,
    Verdict,
)
from sheratan.contracts.errors import SheratanError
from sheratan.simulation.choices import Choices
from sheratan.simulation.network import Connection, Network
from sheratan.simulation.story import Story

__all__ = ["PEOPLE", "Person", "decide"]

PEOPLE = ("person0", "person1", "person2")
_ACTS_AS = {"person2": "client0"}
"""Somebody who has jobs run, too, and may not decide about these alone."""

_ANSWER_SECONDS = 5.0
_OTHERS = (*PEOPLE, "client0", "somebody")


def decide(one: ApprovalRecord, choices: Choices) -> api.Request:
    """What somebody does with a request: mostly to approve it."""
    what = choices.pick("people.decide", ("approve", "approve", "approve", "deny", "delegate", "stale"))
    if what == "delegate":
        return DelegateApproval(id=one.id, to=f"local:{choices.pick('people.delegate', _OTHERS)}")
    digest = one.digest if what != "stale" else one.subject_digest
    verdict: Verdict = "deny" if what == "deny" else "approve"
    return DecideApproval(id=one.id, verdict=verdict, digest=digest, comment="a test")


class Person:
    """Somebody who looks into the inbox now and then, for as long as the world goes on."""

    def __init__(self, name: str, network: Network, choices: Choices, story: Story) -> None:
        self.name = name
        self._network = network
        self._choices = choices
        self._story = story

    async def run(self) -> None:
        """Decide, and look again later."""
        while True:
            await asyncio.sleep(self._choices.pick("people.rest", (20.0, 1.0, 4.0, 9.0)))
            try:
                await self._look(Connection(self._network, _ACTS_AS.get(self.name, self.name)))
            except SheratanError as error:
                self._story.tell(error.code)

    async def _look(self, connection: Connection) -> None:
        mine = self._choices.pick("people.mine", (True, False))
        state = "open" if mine or self._choices.pick("people.open", (True, False)) else None
        wanted = ListApprovals(mine=mine, state=state, limit=3)
        page: ApprovalPage = await connection.call(wanted, _ANSWER_SECONDS)
        for one in page.items:
            await connection.call(decide(one, self._choices), _ANSWER_SECONDS)
        jobs = await connection.call(api.ListJobs(state="waiting", limit=20), _ANSWER_SECONDS)
        for job in jobs.items:
            if "signal" in (job.waiting_for or "") and self._choices.chance("people.signal", 300):
                await connection.call(api.SignalJob(id=job.id, name="go", value=self.name), _ANSWER_SECONDS)
        connection.hang_up()
