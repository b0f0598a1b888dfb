"""Stories that go on: a job's until it ends, or everything that happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from sheratan.cli.output import encode, line, talk, write
from sheratan.cli.reach import request
from sheratan.cli.session import Session
from sheratan.cli.text import instant
from sheratan.contracts.api import Story, StoryLine, TellWhy, Transport, WatchedEntry, WatchEntries
from sheratan.contracts.errors import SheratanError, Unavailable
from sheratan.kernel.lifecycle import TERMINAL_STATES

__all__ = ["watch_all", "watch_job"]

_encode = msgspec.json.Encoder().encode


async def watch_all(session: Session, transport: Transport) -> None:
    """Write every entry as it is committed, until interrupted."""
    talk("watching; Ctrl-C ends it")
    async for entry in transport.stream(request(WatchEntries)):
        if session.output == "jsonl":
            write(_encode(entry) + b"\n")
        else:
            line(f"{instant(entry.at_us)}  entry {entry.entry}  {entry.subject}  {entry.text}")


async def watch_job(session: Session, transport: Transport, job_id: str) -> None:
    """Write a job's story so far, then each sentence as it is added, until the job has ended."""
    told: list[StoryLine] = []
    story: Story = await transport.call(request(TellWhy, id=job_id))
    if story.state in TERMINAL_STATES:
        _tell_more(session, story, told)
    else:
        await _follow(session, transport, job_id, told)
    if session.output == "json":
        write(encode(told) + b"\n")


async def _follow(session: Session, transport: Transport, job_id: str, told: list[StoryLine]) -> None:
    news = asyncio.Event()
    listening = asyncio.create_task(_listen(transport.stream(request(WatchEntries, subject=job_id)), news))
    try:
        # The stream is asked for before the story: what happens in between shows in one of them.
        await asyncio.sleep(0)
        while True:
            news.clear()
            story: Story = await transport.call(request(TellWhy, id=job_id))
            _tell_more(session, story, told)
            if story.state in TERMINAL_STATES:
                return
            if listening.done():
                raise listening.exception() or Unavailable("the stream ended before the job")
            await news.wait()
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError, SheratanError):
            await listening


async def _listen(entries: AsyncIterator[WatchedEntry], news: asyncio.Event) -> None:
    try:
        async for _ in entries:
            news.set()
    finally:
        news.set()


def _tell_more(session: Session, story: Story, told: list[StoryLine]) -> None:
    """Write the lines that were not told yet; a mention may have come between two that were."""
    known = {told_line.entry for told_line in told}
    for new in (one for one in story.lines if one.entry not in known):
        told.append(new)
        if session.output == "jsonl":
            write(_encode(new) + b"\n")
        elif session.output == "table":
            line(f"{instant(new.at_us)}  entry {new.entry}  {new.text}")
