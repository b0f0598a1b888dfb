"""A process that migrates a database in forks of itself, and has each killed before another statement or operation.

`python -m crash.storage_migrate` reads what to do as JSON from stdin and answers with JSON; it is a process of its own
so that it can fork with one thread and no database open.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec

from crash.storage_check import check_database, dump
from crash.storage_kill import KillAtOperation, forked
from crash.storage_notes import Notes
from crash.storage_script import fill
from crash.storage_sweep import DATABASE
from sheratan.ambient.clock import VirtualClock
from sheratan.contracts.errors import CorruptData
from sheratan.store.sqlite import migrate, store

__all__ = ["Found", "Order"]

_NOW_US = VirtualClock().now_us()
_SCRIPT = """
CREATE TABLE label (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
INSERT INTO label SELECT number, 'priority ' || priority FROM job;
CREATE INDEX label_by_text ON label (text);
CREATE TABLE failure_anew (
    number INTEGER NOT NULL, entry INTEGER NOT NULL, error BLOB NOT NULL CHECK (length(error) > 0),
    PRIMARY KEY (number, entry)
) STRICT, WITHOUT ROWID;
INSERT INTO failure_anew SELECT number, entry, error FROM failure;
DROP TABLE failure;
ALTER TABLE failure_anew RENAME TO failure;
CREATE INDEX result_by_instant ON result (finished_us);
UPDATE label SET text = text || '!' WHERE number % 2;
DROP INDEX after_by_parent;
CREATE INDEX after_by_parent ON after (parent, number);
"""
_NEXT = migrate.Migration(
    len(migrate.known_migrations()) + 1, "labels", _SCRIPT, hashlib.sha256(_SCRIPT.encode()).hexdigest()
)
_known = migrate.known_migrations


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: with every `stride`-th operation on the files, and every so many statements of a new database.

    That has all migrations, one more with each release; of a database with jobs each statement is taken.
    """

    folder: str
    seed: int
    stride: int = 1
    statement_stride: int = 1
    without_transaction: bool = False


class Found(msgspec.Struct, kw_only=True):
    """What came of it, by what was migrated."""

    kills: dict[str, int] = {}
    violations: list[str] = []


@dataclass(frozen=True)
class _Subject:
    """A database that is to be migrated: as it is before, and as it must be after."""

    name: str
    folder: Path
    notes: Notes
    migrations: list[migrate.Migration]
    before: list[str]
    after: list[str]


def sweep(order: Order) -> Found:
    """Kill every migration at every point, and see what is left."""
    found = Found()
    if order.without_transaction:
        store.apply_migrations = _apply_step_by_step
    folder = Path(order.folder)
    for subject in _subjects(folder, order.seed):
        _sweep_one(subject, folder / "killed", order, found)
    found.violations += _try_newer(folder)
    return found


def _subjects(folder: Path, seed: int) -> list[_Subject]:
    """An empty folder, and a database with jobs and a log that a crash has left, for this release and the next."""
    empty, full = folder / "empty", folder / "full"
    empty.mkdir()
    full.mkdir()
    notes = fill(full / DATABASE, seed, 150, keep_log=True)
    found = []
    for name, place, told, known in (
        ("a new database", empty, Notes(), _known()),
        ("a database with jobs", full, notes, [*_known(), _NEXT]),
    ):
        done = folder / f"{place.name}-done"
        shutil.copytree(place, done)
        forked(lambda done=done, known=known: _migrate(done, known, None))
        found.append(_Subject(name, place, told, known, _state(place, folder), _state(done, folder)))
    return found


def _sweep_one(subject: _Subject, place: Path, order: Order, found: Found) -> None:
    statement_stride = 1 if subject.notes.jobs else order.statement_stride
    killers: list[tuple[str, Callable[[int], object], int]] = [
        ("statement", _kill_at_statement, statement_stride),
        ("operation", KillAtOperation, order.stride),
    ]
    for what, killer, stride in killers:
        point = 1 + order.seed % stride
        while True:
            shutil.copytree(subject.folder, place)
            ended = forked(
                lambda killer=killer, point=point: _migrate(place, subject.migrations, killer(point))
            )
            violations = _judge(subject, place, ended=ended)
            shutil.rmtree(place)
            found.violations += [
                f"{subject.name}, killed before {what} {point}: {text}" for text in violations
            ]
            if ended:
                break
            found.kills[f"{subject.name}, {what}s"] = found.kills.get(f"{subject.name}, {what}s", 0) + 1
            point += stride


def _judge(subject: _Subject, place: Path, *, ended: bool) -> list[str]:
    """It is as before or as after; its journal verifies; and the migration, begun anew, comes to its end."""
    stands = _state(place, place.parent)
    if stands not in (subject.before, subject.after):
        return ["the database is neither as before nor as after"]
    if ended and stands != subject.after:
        return ["the migration has ended and the database is as before"]
    own_schema = len(subject.migrations) == len(_known())
    found = (
        check_database(place / DATABASE, subject.notes, own_schema=own_schema) if subject.notes.seq else []
    )
    forked(lambda: _migrate(place, subject.migrations, None))
    if _state(place, place.parent) != subject.after:
        found.append("begun anew, the migration does not come to the same end")
    if subject.notes.seq:
        found += check_database(place / DATABASE, subject.notes, own_schema=own_schema)
    return found


def _migrate(place: Path, migrations: list[migrate.Migration], killer: object) -> None:
    """Open a database as its owner does, in a release that knows these migrations."""
    migrate.known_migrations = lambda: migrations
    vfs = killer if isinstance(killer, KillAtOperation) else KillAtOperation(0)
    store.connect_owner(place / DATABASE, _NOW_US, vfs=vfs.name).close()


def _kill_at_statement(point: int) -> None:
    """From now on this process dies before so many statements of any connection."""
    left = point

    def trace(*_: object) -> bool:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    apsw.connection_hooks.append(hook)


def _state(place: Path, beside: Path) -> list[str]:
    """All content, in a copy: to see it as the owner does, SQLite may have to undo what was cut off."""
    copy = beside / "looked-at"
    shutil.copytree(place, copy)
    try:
        path = copy / DATABASE
        if not path.exists():
            return []
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        connection.close()
        return dump(path)
    finally:
        shutil.rmtree(copy)


def _try_newer(folder: Path) -> list[str]:
    """A database of the next release must be refused by this one, byte for byte unchanged."""
    newer = folder / "full-done"
    digests = _digests(newer)
    try:
        store.connect_owner(newer / DATABASE, _NOW_US).close()
    except CorruptData:
        return (
            [] if _digests(newer) == digests else ["a database of a newer release was refused, and changed"]
        )
    return ["a database of a newer release was not refused"]


def _digests(place: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(place.iterdir())}


def _apply_step_by_step(connection: apsw.Connection, now_us: int) -> list[migrate.Migration]:
    """Break the product: every statement of a migration is durable by itself."""
    connection.execute(migrate._TABLE)
    applied = {row[0] for row in connection.execute("SELECT version FROM migration")}
    new = [migration for migration in migrate.known_migrations() if migration.version not in applied]
    for migration in new:
        connection.execute(migration.script)
        row = (migration.version, migration.name, migration.checksum, now_us)
        connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?)", row)
    return new


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(sweep(msgspec.json.decode(sys.stdin.buffer.read(), type=Order)))
    )
