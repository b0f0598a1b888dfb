"""`sheratan why`: the story of a job, a queue, a schedule, a worker or the engine."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from sheratan.cli.output import emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import held_up, instant
from sheratan.contracts.api import Story, StoryLine, TellWhy

__all__ = ["why"]

_encode = msgspec.json.Encoder().encode


@click.command()
@click.argument("subject", metavar="ID")
@click.option("--rules", is_flag=True, help="Also tell the options that each rule rejected, and why.")
@command_options
def why(session: Session, subject: str, rules: bool) -> None:
    """Tell the story of ID: a job (job_…), a run (workflow_…), queue:NAME, kind:NAME, tenant:NAME, schedule:NAME,
    worker:NAME/N, bulk:N, approval:N; transfer_…, account:NAME/UNIT, price:KIND, budget:SUBJECT/UNIT; alert:RULE,
    retention, journal, engine, system; or of one entry by its number, entry:N.

    Each sentence rests on one journal entry, whose number it names, with the rule that decided.
    """
    story: Story = ask(session, lambda transport: transport.call(request(TellWhy, id=subject)), offline=True)
    emit(session, story.lines if session.output == "jsonl" else story, lambda: _draw(story, rules=rules))


def _draw(story: Story, *, rules: bool) -> None:
    waits = f"; it waits for {story.waiting_for}" if story.waiting_for else ""
    line(f"{story.subject} is {story.state}{waits}.")
    for one in story.blocked_by:
        line(f"  held up by the {held_up(one)}")
    for number, told in enumerate(story.lines, 1):
        for text in _sentences(number, told, rules=rules):
            line(text)


def _sentences(number: int, told: StoryLine, *, rules: bool) -> Iterator[str]:
    decided = f", {told.rule}" if told.rule else ""
    yield f"{number:>3}. {instant(told.at_us)} (entry {told.entry}{decided})"
    for part in told.text.splitlines():
        yield f"     {part}"
    for option, *reasons in told.rejected if rules else ():
        name = option if isinstance(option, str) else _encode(option).decode()
        yield f"     rejected: {name}" + "".join(f": {reason}" for reason in reasons)
