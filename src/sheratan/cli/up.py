"""`sheratan up`: run the server until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import click
import msgspec

from sheratan.cli.notify import notify
from sheratan.cli.output import talk
from sheratan.cli.program import Serving
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import clean, instant
from sheratan.cli.values import DURATION
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.wire import SOCKET_NAME
from sheratan.settings import Origin, Settings

__all__ = ["up"]

_STOPS = (signal.SIGTERM, signal.SIGINT)

Say = Callable[[str], None]
"""How it talks to people: in plain lines, or in lines of JSON where its log is of these."""


@click.command()
@click.option("--kinds", multiple=True, metavar="MODULE", help="Run the kinds of this module (repeatable).")
@click.option("--drain-seconds", type=DURATION, help="How long running jobs may take to end at a stop.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="Set a limit (repeatable).")
@command_options
def up(
    session: Session, kinds: tuple[str, ...], drain_seconds: float | None, limits: tuple[str, ...]
) -> None:
    """Run the server, with a worker for its kinds, until SIGTERM or SIGINT.

    It says `ready` on stderr (and to systemd) once it is. A stop drains first: nothing new starts, running
    jobs have --drain-seconds to end, what does not is handed back and goes on at the next start. A second
    signal stops at once; nothing that was acknowledged is lost.
    """
    flags = {"kinds": list(kinds) or None, "drain_seconds": drain_seconds, **_limits(limits)}
    settings, origins = session.load(flags)
    server = session.program.serve(settings)
    say = _say_as_json if settings.log.format == "json" and not settings.log.file else talk
    say(f"sheratan {session.program.version()}, process {os.getpid()}")
    _tell_settings(origins, say)
    asyncio.run(_serve(server, settings, say))
    _leave(say)


def _limits(given: Iterable[str]) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{text!r} is not NAME=VALUE", field="--limit")
        flags[f"limits.{name.removeprefix('limits.')}"] = value
    return flags


def _tell_settings(origins: Iterable[Origin], say: Say) -> None:
    defaults = []
    for name, value, origin in origins:
        if origin == "default":
            defaults.append(f"{name}={_word(value)}")
        else:
            say(f"setting: {name}={_word(value)} ({origin})")
    say(textwrap.fill("defaults: " + " ".join(defaults), 110, subsequent_indent="  ", break_on_hyphens=False))


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


async def _serve(server: Serving, settings: Settings, say: Say) -> None:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()
    for number in _STOPS:
        loop.add_signal_handler(number, _on_signal, number, stop, say)
    reason = "the start failed"
    try:
        kinds = await server.start_modules(settings.kinds)
        _tell_started(server, kinds, settings, say)
        reason = (await stop).name
        say(f"{reason}: draining for at most {settings.drain_seconds:g} s; a second signal stops at once")
        notify("STOPPING=1")
    finally:
        await server.stop(settings.drain_seconds, reason)
    say("stopped")


def _on_signal(number: signal.Signals, stop: asyncio.Future[signal.Signals], say: Say) -> None:
    if not stop.done():
        stop.set_result(number)
        return
    say(f"{number.name} again: stopping at once; running attempts are decided anew at the next start")
    # Threads of blocking handlers would hold up any gentler way. What was committed is durable.
    os._exit(128 + number)


def _tell_started(server: Serving, kinds: list[str], settings: Settings, say: Say) -> None:
    say(f"kinds: {', '.join(kinds) or 'none (name a module with --kinds)'}")
    say(f"listening on {settings.data}/{SOCKET_NAME}")
    if settings.metrics.listen:
        say(f"listening on http://{settings.metrics.listen} for probes and scrapers")
    if not server.problems:
        say("ready")
        notify("READY=1")
        return
    for problem in server.problems:
        say(f"problem: {problem}")
    say("not ready: it serves what did load; correct the above and start again")
    notify(f"STATUS=not ready: {server.problems[0]}")


def _leave(say: Say) -> None:
    """A blocking handler that outlived its drain cannot be stopped, and Python would wait for it forever."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        say("a blocking handler was still running; its attempt was handed back")
        sys.stdout.flush()
        os._exit(0)


def _say_as_json(text: str) -> None:
    at = instant(time.time_ns() // 1_000)
    line = {"timestamp": at, "level": "info", "event": "server.said", "text": clean(text)}
    print(msgspec.json.encode(line).decode(), file=sys.stderr, flush=True)
