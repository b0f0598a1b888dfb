"""The product, broken on purpose: `python -m crash.faults NAME[,NAME] up ...` runs `sheratan up ...` with these faults.

Controls use them: a harness that does not notice a broken product proves nothing about a good one. `die-...` are no
breakage but a death at an exact moment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sheratan.kernel import ledger_moves
from sheratan.kernel.accounts import CREDITS_POSTED, DEBITS_POSTED, Account
from sheratan.store.sqlite import store as sqlite_store
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.store import SqliteStore
from sheratan.store.unit import Unit
from sheratan.wiring import main

__all__ = ["FAULTS"]

_UNITS_PER_COMMIT = 40


def _replace(owner: object, name: str, value: object) -> None:
    """Put something in the place of a part of the product, which is what no part of it may ever do."""
    setattr(owner, name, value)


def acknowledge_early() -> None:
    """Answer after a unit is written, and commit only every so many units: what a kill takes was acknowledged."""
    written = 0

    def commit(self: SqliteStore, unit: Unit) -> None:
        nonlocal written
        connection = self._connection
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        self._write(unit)
        written += 1
        if written % _UNITS_PER_COMMIT == 0:
            connection.execute("COMMIT")

    _replace(SqliteStore, "commit", commit)


def forget_keys() -> None:
    """Keep no idempotency key and find none: each request is a new one."""
    original = SqliteStore.commit

    def commit(self: SqliteStore, unit: Unit) -> None:
        unit.keys.clear()
        original(self, unit)

    def find_key(self: SqliteReader, tenant: str, key: str) -> None:
        return None

    _replace(SqliteStore, "commit", commit)
    _replace(SqliteReader, "find_key", find_key)


def rewrite_page() -> None:
    """Write every tenth page with one entry other than the one that was hashed."""
    original, pages = sqlite_store.PAGE_SEPARATOR, 0

    class Separator(bytes):
        def join(self, lines: Any) -> bytes:
            nonlocal pages
            pages += 1
            body = original.join(lines)
            return body.replace(b'"tenant":"default"', b'"tenant":"defau1t"', 1) if pages % 10 == 0 else body

    _replace(sqlite_store, "PAGE_SEPARATOR", Separator(original))


def die_before_commit() -> None:
    """Die when the first unit with a new job is about to be committed."""
    original = SqliteStore.commit

    def commit(self: SqliteStore, unit: Unit) -> None:
        if unit.jobs:
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, unit)

    _replace(SqliteStore, "commit", commit)


def die_after_commit() -> None:
    """Die when the first unit with a new job has been committed, before anybody is answered."""
    original = SqliteStore.commit

    def commit(self: SqliteStore, unit: Unit) -> None:
        original(self, unit)
        if unit.jobs:
            os.kill(os.getpid(), signal.SIGKILL)

    _replace(SqliteStore, "commit", commit)


def forget_reservations() -> None:
    """Have what is reserved count as what an account can give."""

    def available(account: Account) -> int:
        left: int = account[CREDITS_POSTED] - account[DEBITS_POSTED]
        return left

    _replace(ledger_moves, "available", available)


FAULTS: dict[str, Callable[[], None]] = {
    "acknowledge-early": acknowledge_early,
    "forget-keys": forget_keys,
    "forget-reservations": forget_reservations,
    "rewrite-page": rewrite_page,
    "die-before-commit": die_before_commit,
    "die-after-commit": die_after_commit,
}

if __name__ == "__main__":
    for fault in sys.argv[1].split(","):
        FAULTS[fault]()
    sys.exit(main(sys.argv[2:]))
