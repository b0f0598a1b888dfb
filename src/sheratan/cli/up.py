"""`sheratan up`: run the server until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterable
from typing import Any

import click

from sheratan.cli.notify import notify
from sheratan.cli.output import talk
from sheratan.cli.program import Serving
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import DURATION
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.wire import SOCKET_NAME
from sheratan.settings import Origin, Settings

__all__ = ["up"]

_STOPS = (signal.SIGTERM, signal.SIGINT)


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
    talk(f"sheratan {session.program.version()}, process {os.getpid()}")
    _tell_settings(origins)
    asyncio.run(_serve(server, settings))
    _leave()


def _limits(given: Iterable[str]) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{text!r} is not NAME=VALUE", field="--limit")
        flags[f"limits.{name.removeprefix('limits.')}"] = value
    return flags


def _tell_settings(origins: Iterable[Origin]) -> None:
    defaults = []
    for name, value, origin in origins:
        if origin == "default":
            defaults.append(f"{name}={_word(value)}")
        else:
            talk(f"setting: {name}={_word(value)} ({origin})")
    talk(
        textwrap.fill("defaults: " + " ".join(defaults), 110, subsequent_indent="  ", break_on_hyphens=False)
    )


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


async def _serve(server: Serving, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()
    for number in _STOPS:
        loop.add_signal_handler(number, _on_signal, number, stop)
    reason = "the start failed"
    try:
        kinds = await server.start_modules(settings.kinds)
        _tell_started(server, kinds, settings)
        reason = (await stop).name
        talk(f"{reason}: draining for at most {settings.drain_seconds:g} s; a second signal stops at once")
        notify("STOPPING=1")
    finally:
        await server.stop(settings.drain_seconds, reason)
    talk("stopped")


def _on_signal(number: signal.Signals, stop: asyncio.Future[signal.Signals]) -> None:
    if not stop.done():
        stop.set_result(number)
        return
    talk(f"{number.name} again: stopping at once; running attempts are decided anew at the next start")
    # Threads of blocking handlers would hold up any gentler way. What was committed is durable.
    os._exit(128 + number)


def _tell_started(server: Serving, kinds: list[str], settings: Settings) -> None:
    talk(f"kinds: {', '.join(kinds) or 'none (name a module with --kinds)'}")
    talk(f"listening on {settings.data}/{SOCKET_NAME}")
    if not server.problems:
        talk("ready")
        notify("READY=1")
        return
    for problem in server.problems:
        talk(f"problem: {problem}")
    talk("not ready: it serves what did load; correct the above and start again")
    notify(f"STATUS=not ready: {server.problems[0]}")


def _leave() -> None:
    """A blocking handler that outlived its drain cannot be stopped, and Python would wait for it forever."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        talk("a blocking handler was still running; its attempt was handed back")
        sys.stdout.flush()
        os._exit(0)
