"""The doctor's checks. Each looks at one thing, changes nothing, and answers however broken that thing is."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from sheratan.cli.session import Session
from sheratan.cli.text import down_text, instant
from sheratan.contracts.api import EngineStatus, GetStatus
from sheratan.contracts.errors import NotFound, SheratanError
from sheratan.contracts.health import ProbeSettings
from sheratan.contracts.journal import GENESIS
from sheratan.engine.system_views import system_record
from sheratan.kernel.chain import decode_entry, entry_hash
from sheratan.kernel.words import count
from sheratan.sdk.socket import connect

if TYPE_CHECKING:
    from sheratan.engine.views import Reader

__all__ = ["Finding", "examine"]

_FREE_BYTES_WARN: Final = 1 << 30
_FREE_BYTES_FAIL: Final = ProbeSettings().disk_free_bytes_min
"""What the disk's own probe goes by, unless that is set otherwise."""

_TAIL_ENTRIES: Final = 1_000
_ANSWER_SECONDS: Final = 5.0
_CLOCK_BEHIND_US: Final = 1_000_000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: `ok`, `warn` or `fail`, and the way out."""

    check: str
    result: Literal["ok", "warn", "fail"]
    detail: str
    way_out: str = ""


def examine(session: Session) -> list[Finding]:
    """Run every check."""
    try:
        data = session.data
    except SheratanError as error:
        return [_fail("settings", str(error), "correct or remove that setting")]
    findings = [_ok("settings", f"data directory {data}"), _library(session)]
    findings += _directory(data)
    findings.append(_guarded("owner", lambda: _owner(session)))
    findings += _database(session)
    findings += _server(session)
    return findings


def _ok(check: str, detail: str) -> Finding:
    return Finding(check=check, result="ok", detail=detail)


def _warn(check: str, detail: str, way_out: str) -> Finding:
    return Finding(check=check, result="warn", detail=detail, way_out=way_out)


def _fail(check: str, detail: str, way_out: str) -> Finding:
    return Finding(check=check, result="fail", detail=detail, way_out=way_out)


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (SheratanError, OSError) as error:
        return _fail(check, str(error), "see what the message names")


def _library(session: Session) -> Finding:
    try:
        return _ok("library", f"SQLite {session.program.check_library()} is safe")
    except SheratanError as error:
        return _fail("library", str(error), "reinstall apsw from its wheel: pip install --upgrade apsw")


def _directory(data: Path) -> Iterator[Finding]:
    try:
        found = data.stat()
    except FileNotFoundError:
        yield _warn("directory", f"{data} does not exist yet", f"`sheratan up --data {data}` creates it")
        return
    except OSError as error:
        yield _fail(
            "directory",
            f"{data}: {error.strerror}",
            "give yourself access to it, or choose another with --data",
        )
        return
    if not stat.S_ISDIR(found.st_mode):
        yield _fail("directory", f"{data} is not a directory", "choose another with --data")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield _fail("directory", f"{data} is not yours to write", "chown it to the user who runs the server")
    elif found.st_mode & 0o077:
        mode = stat.filemode(found.st_mode)
        yield _warn("directory", f"others may read {data} ({mode})", f"chmod 700 {data}")
    else:
        yield _ok("directory", f"{data} is private and writable")
    yield _space(data)


def _space(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    detail = f"{free / (1 << 30):.1f} GiB are free"
    if free < _FREE_BYTES_FAIL:
        return _fail("disk", detail, "free some space: a full disk stops every write")
    if free < _FREE_BYTES_WARN:
        return _warn("disk", detail, "free some space soon: a full disk stops every write")
    return _ok("disk", detail)


def _owner(session: Session) -> Finding:
    holder = session.program.read_holder(session.data)
    if holder is None:
        return _ok("owner", "nobody owns the data directory: no server runs")
    return _ok("owner", f"process {holder.pid} ({holder.program}) owns it since {instant(holder.since_us)}")


def _database(session: Session) -> list[Finding]:
    try:
        reader = session.program.open_reader(session.data)
    except NotFound as error:
        return [_warn("database", error.detail, "nothing to do: the first start creates it")]
    except (SheratanError, OSError) as error:
        return [_fail("database", str(error), "restore a backup; keep the damaged file for the analysis")]
    with closing(reader):
        looks = {
            "database": _counts,
            "code": _code,
            "ledger": _ledger,
            "journal": _tail,
            "clock": _clock,
            "state": _state,
        }
        return [_guarded(check, partial(look, reader)) for check, look in looks.items()]


def _counts(reader: Reader) -> Finding:
    counts = reader.counts()
    jobs = sum(counts.values())
    return _ok("database", f"opens; it holds {jobs} jobs, {counts['result']} of them ended")


def _code(reader: Reader) -> Finding:
    jobs = reader.code_changed_count()
    if not jobs:
        return _ok("code", "no job is blocked because its code has changed")
    way_out = (
        "sheratan job list --state blocked; deploy code that asks for their steps, or sheratan job unblock ID"
    )
    return _warn("code", f"{count(jobs, 'job')} blocked because of changed code", way_out)


def _ledger(reader: Reader) -> Finding:
    accounts, transfers = reader.last_ledger_numbers()
    wrong = reader.ledger_findings()
    if wrong:
        return _fail("ledger", f"{count(len(wrong), 'thing')} in it do not add up", "sheratan ledger check")
    return _ok("ledger", f"{count(accounts, 'account')} and {count(transfers, 'transfer')} add up")


def _state(reader: Reader) -> Finding:
    found = system_record(reader)
    if found.severity == "none" and not found.way_out:
        return _ok("state", f"the system is {found.state}")
    detail = f"the system is {found.state}, by {found.actor}: {found.reason}"
    make = _fail if found.severity == "critical" else _warn
    return make("state", detail, found.way_out or "sheratan state show")


def _tail(reader: Reader) -> Finding:
    """The newest entries hang together and end at the recorded head. `journal verify` checks all of them."""
    shard = reader.shard()
    first = max(0, shard.head.seq - _TAIL_ENTRIES)
    lines = [line for _, _, body in reader.pages(first) for line in body.split(b"\n")]
    # A running server goes on writing; what it wrote after the head was read does not count.
    last = decode_entry(lines[-1]).seq if lines else -1
    lines = lines[: len(lines) - max(0, last - shard.head.seq + 1)]
    head = GENESIS if not lines else decode_entry(lines[0]).prev
    for line in lines:
        entry = decode_entry(line)
        if entry.prev != head:
            return _fail(
                "journal", f"entry {entry.seq} does not follow the one before it", "sheratan journal verify"
            )
        head = entry_hash(line)
    if head != shard.head.hash:
        return _fail(
            "journal",
            f"its newest entry is not the recorded head {shard.head.hash}",
            "sheratan journal verify",
        )
    return _ok("journal", f"{shard.head.seq} entries; the newest {len(lines)} hang together")


def _server(session: Session) -> Iterator[Finding]:
    """What a running server says of itself."""
    try:
        if session.program.read_holder(session.data) is None:
            yield _ok("socket", "no server runs, so none is asked")
            return
        found = asyncio.run(_status(session))
    except TimeoutError:
        yield _fail(
            "socket", f"no answer within {_ANSWER_SECONDS:g} s", "look at the server's stderr; restart it"
        )
    except (SheratanError, OSError) as error:
        yield _fail("socket", str(error), "wait for the server to start or stop, or look at its stderr")
    else:
        yield _socket(found)
        yield _probes(found)
        yield _alerts(found)
        if found.archive_problem is not None:
            detail = f"entries that are due could not be archived: {found.archive_problem}"
            yield _warn("archive", detail, "mend what it names; the server tries again within the hour")


def _socket(found: EngineStatus) -> Finding:
    if not found.ready:
        return _warn(
            "socket", f"the server answers but is not ready: {'; '.join(found.problems)}", "sheratan status"
        )
    return _ok("socket", f"the server answers and is ready, version {found.version}")


def _probes(found: EngineStatus) -> Finding:
    down = [one for one in found.system.probes if one.health == "down"]
    if not down:
        return _ok("probes", f"none of {len(found.system.probes)} is down")
    detail = "; ".join(map(down_text, down))
    make = _fail if any(one.critical for one in down) else _warn
    return make("probes", detail, "mend what it names; `sheratan state show` tells more")


def _alerts(found: EngineStatus) -> Finding:
    if found.alert_problems:
        detail = f"not everybody is told of alerts: {'; '.join(found.alert_problems)}"
        return _warn("alerts", detail, "mend what it names; `sheratan alert test` tries it")
    if not found.alerts:
        return _ok("alerts", "none is open")
    detail = "; ".join(f"{one.subject}: {one.text}" for one in found.alerts)
    return _warn("alerts", detail, f"{found.alerts[0].runbook}; `sheratan alert list` has each one's page")


async def _status(session: Session) -> EngineStatus:
    async with asyncio.timeout(_ANSWER_SECONDS):
        transport = await connect(session.data)
        try:
            answer: Any = await transport.call(GetStatus())
        finally:
            await transport.close()
    status: EngineStatus = answer
    return status


def _clock(reader: Reader) -> Finding:
    now_us, newest_us = time.time_ns() // 1_000, reader.shard().head.at
    if now_us + _CLOCK_BEHIND_US < newest_us:
        detail = f"it says {instant(now_us)}, before the newest entry of {instant(newest_us)}"
        return _warn(
            "clock", detail, "set the clock: until then new entries carry the newest entry's instant"
        )
    return _ok("clock", f"it says {instant(now_us)}, after the newest entry")
