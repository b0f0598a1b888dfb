"""Forward-only migrations: numbered SQL files, each applied once, in a transaction, under its checksum."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

import apsw

from sheratan.contracts.errors import CorruptData

__all__ = ["Migration", "apply_migrations", "known_migrations", "schema_problems"]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " checksum TEXT NOT NULL, applied_us INTEGER NOT NULL) STRICT"
)


class Migration(NamedTuple):
    """A step of the schema: its number, name, SQL and the SHA-256 of the SQL."""

    version: int
    name: str
    script: str
    checksum: str


def known_migrations() -> list[Migration]:
    """Every migration of this release, in order."""
    found = []
    for file in resources.files("sheratan.store.sqlite").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            script = file.read_text("utf-8")
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(version), name, script, hashlib.sha256(script.encode()).hexdigest()))
    return sorted(found)


def apply_migrations(connection: apsw.Connection, now_us: int) -> list[Migration]:
    """Bring the schema up to this release and return what was applied.

    A database with a migration that this release does not know, or knows differently, is refused unchanged.
    """
    connection.execute("BEGIN EXCLUSIVE")
    try:
        connection.execute(_TABLE)
        applied = {
            row[0]: row[1:] for row in connection.execute("SELECT version, name, checksum FROM migration")
        }
        known = {migration.version: migration for migration in known_migrations()}
        for version, (name, checksum) in applied.items():
            if version not in known or (known[version].name, known[version].checksum) != (name, checksum):
                raise CorruptData(
                    f"the database has migration {version} ({name}), which this release does not know"
                )
        new = [migration for version, migration in known.items() if version not in applied]
        for migration in new:
            connection.execute(migration.script)
            row = (migration.version, migration.name, migration.checksum, now_us)
            connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?)", row)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return new


def schema_problems(connection: apsw.Connection) -> list[str]:
    """In what the schema of a database is not as its migrations make it: a guard that was dropped, a table changed."""
    stands = _schema(connection)
    return [
        f"the schema's {kind} {name} is not as the migrations made it"
        for kind, name in sorted(stands.keys() | _wanted_schema().keys())
        if stands.get((kind, name)) != _wanted_schema().get((kind, name))
    ]


@cache
def _wanted_schema() -> dict[tuple[str, str], tuple[str, str | None]]:
    connection = apsw.Connection(":memory:")
    try:
        apply_migrations(connection, 0)
        return _schema(connection)
    finally:
        connection.close()


def _schema(connection: apsw.Connection) -> dict[tuple[str, str], tuple[str, str | None]]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    return {(kind, name): (table, text) for kind, name, table, text in rows}
