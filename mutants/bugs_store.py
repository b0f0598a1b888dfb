"""Planted bugs of the store: what is durable, what is one transaction, who owns the data."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_STORE = "store/sqlite/store.py"
_ROWS = "store/sqlite/unit_rows.py"
_QUERIES = "store/sqlite/queries"

BUGS = (
    Bug(
        "sync-off",
        "nothing is ever synced (synchronous = OFF)",
        "safety",
        "E1",
        (Change(_STORE, '"synchronous = FULL"', '"synchronous = OFF"'),),
    ),
    Bug(
        "sync-normal",
        "commits are not synced (synchronous = NORMAL)",
        "safety",
        "E1",
        (Change(_STORE, '"synchronous = FULL"', '"synchronous = NORMAL"'),),
    ),
    Bug(
        "log-not-written-anew",
        "who starts after a failed sync builds on what memory still shows of the log",
        "safety",
        "E1",
        (Change(_STORE, "        write_log_anew(path, vfs)\n", ""),),
    ),
    Bug(
        "no-transaction",
        "BEGIN and COMMIT are gone: each statement commits by itself",
        "safety",
        "J5",
        (
            Change(_STORE, '                connection.execute("BEGIN IMMEDIATE")\n', ""),
            Change(_STORE, '                connection.execute("COMMIT")\n', ""),
        ),
    ),
    Bug(
        "two-transactions",
        "the rows beside the moves are written in a second transaction",
        "safety",
        "J5",
        (
            Change(
                _STORE,
                "        write_rows(connection, unit)\n",
                '        connection.execute("COMMIT")\n'
                '        connection.execute("BEGIN IMMEDIATE")\n'
                "        write_rows(connection, unit)\n",
            ),
        ),
    ),
    Bug(
        "failed-commit-not-rolled-back",
        "after a commit that failed the transaction stays open",
        "liveness",
        "E9",
        (Change(_STORE, "                if connection.in_transaction:\n", "                if False:\n"),),
    ),
    Bug(
        "epoch-not-checked",
        "an earlier owner may commit, as far as the epoch goes (the seq is still checked)",
        "safety",
        "J16",
        (Change(f"{_QUERIES}/advance_shard.sql", "epoch = ? AND seq = ?", "epoch + ? >= 0 AND seq = ?"),),
    ),
    Bug(
        "neither-epoch-nor-seq",
        "a commit names neither its epoch nor the seq that it goes on from",
        "safety",
        "J16",
        (
            Change(
                f"{_QUERIES}/advance_shard.sql",
                "epoch = ? AND seq = ?",
                "epoch + ? >= 0 AND seq + ? >= 0",
            ),
        ),
    ),
    Bug(
        "epoch-not-raised",
        "who takes over does not raise the epoch",
        "safety",
        "J16",
        (Change(f"{_QUERIES}/take_over.sql", "epoch = epoch + 1", "epoch = max(epoch, 1)"),),
    ),
    Bug(
        "page-first-seq-off-by-one",
        "a page of the journal is stored under the number after its first entry's",
        "safety",
        "J1",
        (Change(_STORE, "(unit.first_seq, len(unit.lines)", "(unit.first_seq + 1, len(unit.lines)"),),
    ),
    Bug(
        "payload-not-stored",
        "large inputs and outputs are not stored",
        "safety",
        "E1",
        (
            Change(
                _ROWS,
                'insert_rows(connection, "insert_payload", list(unit.payloads.items()))',
                "pass",
            ),
        ),
    ),
    Bug(
        "key-row-not-stored",
        "an idempotency key is not stored",
        "safety",
        "E7",
        (Change(_ROWS, '    "keys": "insert_key",\n', ""),),
    ),
    Bug(
        "after-row-not-stored",
        "what a job runs after is not stored",
        "safety",
        "E11",
        (Change(_ROWS, '    "after": "insert_after",\n', ""),),
    ),
    Bug(
        "mention-not-stored",
        "that a stale report came is not noted beside its job",
        "explanation",
        "J14",
        (Change(_ROWS, '    "mentions": "insert_mention",\n', ""),),
    ),
    Bug(
        "alarm-not-stored",
        "limits on waiting in a queue are not stored",
        "safety",
        "E9",
        (Change(_ROWS, '    "alarms": "insert_alarm",\n', ""),),
    ),
    Bug(
        "alarm-not-deleted",
        "a limit on waiting that was reached stays where it is",
        "safety",
        "E13",
        (Change(_ROWS, '    delete_rows(connection, "delete_alarm", unit.alarms_rung)\n', ""),),
    ),
    Bug(
        "timer-not-deleted",
        "a timer that rang stays where it is, and rings again",
        "safety",
        "E13",
        (
            Change(
                _STORE,
                "        if before is not None:\n            left",
                "        if before is not None and not isinstance(before, Timer):\n            left",
            ),
        ),
    ),
    Bug(
        "pause-not-stored",
        "that a queue was paused is not stored",
        "safety",
        "J14",
        (Change(_ROWS, '    "flows": "replace_flow",\n', ""),),
    ),
    Bug(
        "always-clean",
        "each commit says that the engine has stopped in order",
        "explanation",
        "E14",
        (Change(_STORE, "int(unit.clean)", "1"),),
    ),
    Bug(
        "refill-skips-a-row",
        "a page of ready jobs begins one job too late",
        "safety",
        "order",
        (Change(f"{_QUERIES}/select_ready_page.sql", "LIMIT ?4", "LIMIT ?4 OFFSET 1"),),
    ),
    Bug(
        "next-due-forgets-alarms",
        "the earliest instant is that of timers only",
        "liveness",
        "E9",
        (
            Change(
                f"{_QUERIES}/select_next_due.sql", " UNION ALL SELECT min(due_us) FROM alarm", " WHERE true"
            ),
        ),
    ),
)
