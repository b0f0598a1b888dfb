"""Rows that were changed behind the journal's back are found, each where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.tamper import Hands, changed, checked, invariants, tables

CHANGES = [
    ("UPDATE result SET state = 'succeeded' WHERE state = 'failed'", "J14", "result"),
    ("UPDATE result SET attempt = attempt + 1 WHERE state = 'succeeded'", "J14", "result"),
    ("UPDATE result SET losses = 9", "J14", "result"),
    ("UPDATE result SET finished_us = finished_us - 1", "J14", "result"),
    ("UPDATE result SET entry = entry - 1", "J14", "result"),
    ("UPDATE result SET output = x'32' WHERE output = x'31'", "J14", "result"),
    ("UPDATE result SET output = NULL WHERE output IS NOT NULL", "J14", "result"),
    ("UPDATE result SET output = x'31' WHERE state = 'cancelled'", "J14", "result"),
    ("DELETE FROM result WHERE state = 'cancelled'", "J5", "result"),
    ("INSERT INTO result SELECT number, 'succeeded', 1, 0, 1, NULL, NULL, 1 FROM blocked", "E3", "result"),
    ("INSERT INTO result VALUES (9999, 'succeeded', 1, 0, 1, NULL, NULL, 1)", "E2", "result"),
    ("UPDATE lease SET fence = fence - 1", "J14", "lease"),
    ("UPDATE lease SET attempt = attempt + 1", "J14", "lease"),
    ("UPDATE lease SET session = 1", "J14", "lease"),
    ("UPDATE lease SET cancel_us = 0", "J14", "lease"),
    ("UPDATE lease SET leased_us = 5", "J14", "lease"),
    ("DELETE FROM lease", "J5", "job"),
    ("DELETE FROM ready WHERE priority = 0", "J5", "job"),
    ("UPDATE ready SET priority = 1 WHERE priority = 0", "J14", "ready"),
    ("UPDATE ready SET losses = losses + 1", "J14", "ready"),
    ("UPDATE ready SET since_us = 1", "J14", "ready"),
    ("INSERT INTO ready SELECT 1, 5, number, 1, 0, 1, 1, 0 FROM lease", "E3", "ready"),
    ("INSERT INTO ready SELECT 1, 5, number, 1, 0, 1, 1, 0 FROM result LIMIT 1", "E3", "ready"),
    (
        "INSERT INTO ready SELECT lane, 9, number, attempt, losses, since_us, entry, steps FROM ready",
        "J14",
        "ready",
    ),
    ("INSERT INTO ready VALUES (1, 5, 9999, 1, 0, 1, 1, 0)", "E2", "ready"),
    ("UPDATE timer SET due_us = due_us - 1", "J14", "timer"),
    ("UPDATE timer SET what = 2", "J14", "timer"),
    ("UPDATE blocked SET missing = missing + 1", "J14", "blocked"),
    ("UPDATE blocked SET failed = 1", "J14", "blocked"),
    ("UPDATE blocked SET due_us = 0", "J14", "blocked"),
    ("UPDATE blocked SET entry = entry + 1", "J14", "blocked"),
    ("UPDATE job SET input = x'7b7d' WHERE number = 1", "J14", "job"),
    ("UPDATE job SET payload = zeroblob(32), input = NULL WHERE number = 1", "J14", "job"),
    ("UPDATE job SET priority = 3 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET attempts_max = 99 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET run_timeout_us = 1 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET backoff_cap_us = 1 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET after_failure = 'run' WHERE number = 1", "J14", "job"),
    ("UPDATE job SET salt = salt + 1 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET lane = 2 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET origin = 1 WHERE number = 2", "J14", "job"),
    ("UPDATE job SET origin = 2 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET submitted_by = 2 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET submitted_by = NULL", "J14", "job"),
    ("DELETE FROM job WHERE number = 1", "J5", "job"),
    (
        "INSERT INTO job SELECT 9999, 1, 1, 5, 1, 1, 1, 1, 1, 0, 'run', NULL, NULL, x'31', NULL, 1, NULL, 0, 0",
        "E2",
        "job",
    ),
    ("UPDATE payload SET body = x'31'", "J14", "payload"),
    ("DELETE FROM payload", "J5", "job"),
    ("DELETE FROM payload", "J5", "result"),
    (
        "DELETE FROM payload WHERE digest = "
        "(SELECT payload FROM step WHERE payload IS NOT NULL ORDER BY number, step LIMIT 1)",
        "J5",
        "step",
    ),
    ("UPDATE failure SET error = x'7b7d'", "J14", "failure"),
    ("DELETE FROM failure", "J5", "failure"),
    ("INSERT INTO failure VALUES (1, 1, x'7b7d')", "J5", "failure"),
    ("UPDATE after SET parent = 1", "J14", "after"),
    ("DELETE FROM after", "J14", "after"),
    ("DELETE FROM step WHERE step = 1", "J5", "step"),
    ("UPDATE step SET name = 'other' WHERE step = 1", "J14", "step"),
    ("UPDATE step SET output = x'37' WHERE failed = 0 AND payload IS NULL", "J14", "step"),
    ("UPDATE step SET failed = 1 - failed", "J14", "step"),
    ("INSERT INTO step VALUES (1, 77, 'more', 1, 0, x'31', NULL, 1)", "J5", "step"),
    ("DELETE FROM wait", "J5", "wait"),
    ("UPDATE wait SET due_us = 5", "J14", "wait"),
    ("UPDATE wait SET key = 'another'", "J14", "wait"),
    ("INSERT INTO wait VALUES (1, 1, 0, 'more', 1, 'sleep', '', 1)", "J5", "wait"),
    ("DELETE FROM awaited", "J5", "awaited"),
    ("INSERT INTO awaited VALUES (1, 1, 0, 2)", "J5", "awaited"),
    ("DELETE FROM signal", "J5", "signal"),
    ("UPDATE signal SET name = 'another'", "J14", "signal"),
    ("UPDATE signal SET output = x'37'", "J14", "signal"),
    ("INSERT INTO signal VALUES (1, 1, 'more', x'37', NULL)", "J5", "signal"),
    ("UPDATE approval SET question = 'Another?'", "J14", "approval"),
    ("UPDATE approval SET subject = x'32' WHERE subject IS NOT NULL", "J14", "approval"),
    ("UPDATE approval SET payload = NULL WHERE payload IS NOT NULL", "J14", "approval"),
    ("UPDATE approval SET approvers = '[]'", "J14", "approval"),
    ("UPDATE approval SET needed = 1", "J14", "approval"),
    ("UPDATE approval SET self_approval = 1", "J14", "approval"),
    ("UPDATE approval SET requester = 'local:eve'", "J14", "approval"),
    ("UPDATE approval SET number = 1", "J14", "approval"),
    ("UPDATE approval SET occurrence = 2", "J14", "approval"),
    ("UPDATE approval SET name = 'wait:approval:x'", "J14", "approval"),
    ("UPDATE approval SET asked_us = 1", "J14", "approval"),
    ("UPDATE approval SET due_us = due_us + 1", "J14", "approval"),
    ("UPDATE approval SET state = 'approved' WHERE state = 'open'", "J14", "approval"),
    ("UPDATE approval SET ended = 1", "J14", "approval"),
    ("UPDATE approval SET newest = 1", "J14", "approval"),
    ("DELETE FROM approval", "J5", "approval"),
    (
        "INSERT INTO approval SELECT 1, number, name, 2, question, subject, payload, approvers, needed, self_approval,"
        " requester, asked_us, due_us, state, ended, newest FROM approval LIMIT 1",
        "J5",
        "approval",
    ),
    ("UPDATE approval_act SET actor = 'local:eve' WHERE what = 'approve'", "J14", "approval_act"),
    ("UPDATE approval_act SET what = 'approve' WHERE what = 'deny'", "J14", "approval_act"),
    ("UPDATE approval_act SET receiver = 'local:eve' WHERE what = 'delegate'", "J14", "approval_act"),
    ("UPDATE approval_act SET comment = 'as forged'", "J14", "approval_act"),
    ("UPDATE approval_act SET at_us = at_us - 1", "J14", "approval_act"),
    ("DELETE FROM approval_act", "J5", "approval_act"),
    (
        "INSERT INTO approval_act SELECT approval, 1, 1, actor, what, receiver, '' FROM approval_act LIMIT 1",
        "J5",
        "approval_act",
    ),
    ("UPDATE timer SET what = 1 WHERE what = 3", "J14", "timer"),
    ("UPDATE lease SET steps = steps + 1", "J14", "lease"),
    ("UPDATE ready SET steps = steps + 1", "J14", "ready"),
    ("UPDATE timer SET steps = steps + 1", "J14", "timer"),
    ("INSERT INTO after VALUES (1, 0, 2)", "J5", "after"),
    ("UPDATE idempotency SET key = 'twice' WHERE key = 'once'", "E7", "idempotency"),
    ("UPDATE idempotency SET number = 1", "E7", "idempotency"),
    ("DELETE FROM idempotency", "E7", "idempotency"),
    ("INSERT INTO idempotency VALUES ('default', 'more', zeroblob(32), 1)", "E7", "idempotency"),
    ("UPDATE flow SET paused = 0 WHERE paused", "J14", "flow"),
    ("UPDATE flow SET reason = 'nobody knows' WHERE paused", "J14", "flow"),
    ("UPDATE flow SET concurrency = 99 WHERE concurrency", "J14", "flow"),
    ("UPDATE flow SET rate_count = rate_count + 1 WHERE rate_count", "J14", "flow"),
    ("UPDATE flow SET rate_period_us = 1 WHERE rate_count", "J14", "flow"),
    ("UPDATE flow SET rate_burst = 99 WHERE rate_count", "J14", "flow"),
    ("UPDATE flow SET weight = 99", "J14", "flow"),
    ("UPDATE flow SET declared = 1 - declared", "J14", "flow"),
    ("DELETE FROM flow", "J5", "flow"),
    (
        "INSERT INTO flow VALUES ('default', 'queue:unheard', 1, '', 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0)",
        "J5",
        "flow",
    ),
    ("UPDATE pace SET pace_us = pace_us - 1", "J14", "pace"),
    ("UPDATE pace SET part = part + 1", "J14", "pace"),
    ("UPDATE pace SET started_us = 1", "J14", "pace"),
    ("DELETE FROM pace", "J5", "pace"),
    ("INSERT INTO pace VALUES ('default', 'queue:unheard', 1, 0, 1)", "J5", "pace"),
    ("UPDATE job SET trace = zeroblob(25) WHERE number = 1", "J14", "job"),
    ("UPDATE job SET trace = NULL WHERE trace IS NOT NULL", "J14", "job"),
    ("UPDATE job SET cost = cost + 1 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET cost = 1 WHERE cost > 1", "J14", "job"),
    ("UPDATE schedule SET state = 'active' WHERE state = 'paused'", "J14", "schedule"),
    ("UPDATE schedule SET state = 'active' WHERE state = 'deleted'", "J14", "schedule"),
    ("UPDATE schedule SET definition = x'7b7d' WHERE name = 'plain'", "J14", "schedule"),
    ("UPDATE schedule SET definition = x'7b7d' WHERE state = 'deleted'", "J14", "schedule"),
    ("UPDATE schedule SET on_behalf_of = 'local:mallory'", "J14", "schedule"),
    ("UPDATE schedule SET created_us = created_us - 1", "J14", "schedule"),
    ("UPDATE schedule SET after_us = after_us - 10000000", "J14", "schedule"),
    ("UPDATE schedule SET due_us = due_us - 1", "J14", "schedule"),
    ("UPDATE schedule SET due_us = 5 WHERE due_us IS NULL", "J14", "schedule"),
    ("UPDATE schedule SET last_us = last_us - 1", "J14", "schedule"),
    ("UPDATE schedule SET last_job = 1", "J14", "schedule"),
    ("UPDATE schedule SET entry = entry - 1", "J14", "schedule"),
    ("DELETE FROM schedule WHERE name = 'plain'", "J5", "schedule"),
    (
        "INSERT INTO schedule SELECT tenant, 'more', state, definition, payload, on_behalf_of, created_us, after_us,"
        " due_us, last_us, last_job, entry, last_run FROM schedule WHERE name = 'plain'",
        "J5",
        "schedule",
    ),
    (
        "DELETE FROM payload WHERE digest = (SELECT payload FROM schedule WHERE name = 'large')",
        "J5",
        "schedule",
    ),
    ("DELETE FROM mention", "J5", "mention"),
    ("INSERT INTO mention VALUES (2, 2)", "J5", "mention"),
    ("UPDATE alarm SET due_us = due_us - 1", "E13", "alarm"),
    ("UPDATE alarm SET due_us = due_us + 1", "E13", "alarm"),
    ("INSERT INTO alarm SELECT due_us + 1, number FROM alarm", "E13", "alarm"),
    ("INSERT INTO alarm VALUES (5, 1)", "E2", "alarm"),
    ("DELETE FROM alarm", "J5", "alarm"),
    ("DELETE FROM tag WHERE tag = 'eu'", "J14", "tag"),
    ("UPDATE tag SET tag = 'us' WHERE tag = 'eu'", "J14", "tag"),
    ("INSERT INTO tag VALUES ('more', 1)", "J5", "tag"),
    ("DELETE FROM dead_letter", "J5", "dead_letter"),
    ("INSERT INTO dead_letter VALUES (1)", "J5", "dead_letter"),
    ("DELETE FROM failed_job", "J5", "failed_job"),
    ("UPDATE failed_job SET error_class = 'bug' WHERE error_class = 'fatal'", "J5", "failed_job"),
    ("INSERT INTO failed_job VALUES ('bug', 1)", "J5", "failed_job"),
    ("INSERT INTO failure_text (rowid, type, message) VALUES (1, 'Oops', '')", "J5", "failure_text"),
    ("UPDATE bulk SET done = done + 1", "J14", "bulk"),
    ("UPDATE bulk SET last = 0", "J14", "bulk"),
    ("UPDATE bulk SET ended = NULL", "J14", "bulk"),
    ("DELETE FROM bulk", "J5", "bulk"),
    ("INSERT INTO bulk VALUES (1, 0, 0, NULL)", "J5", "bulk"),
    ("UPDATE shard SET succeeded = succeeded + 1", "J14", "shard"),
    ("UPDATE shard SET failed = 0", "J14", "shard"),
    ("UPDATE shard SET cancelled = 0", "J14", "shard"),
    ("UPDATE shard SET next_number = 5", "J14", "shard"),
    ("UPDATE shard SET policy = 1", "J14", "shard"),
    ("UPDATE shard SET engine_entry = 1", "J14", "shard"),
    ("UPDATE shard SET clean = 1", "J14", "shard"),
    ("UPDATE shard SET epoch = 1", "J16", "shard"),
]


@pytest.mark.parametrize(("change", "invariant", "table"), CHANGES)
def test_a_row_changed_behind_the_journals_back_is_found(
    data: Path, change: str, invariant: str, table: str
) -> None:
    changed(data, change)
    found = checked(data).problems
    assert table in tables(found, invariant), found


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ("UPDATE shard SET head = '00'", "J2"),
        ("UPDATE shard SET at_us = at_us + 1", "J14"),
        ("UPDATE shard SET seq = seq + 1", "J1"),
    ],
)
def test_a_recorded_end_that_is_not_the_journals_end_is_found(
    data: Path, change: str, invariant: str
) -> None:
    changed(data, change)
    assert invariant in invariants(checked(data))


@pytest.mark.parametrize(
    "table", ["shard", "page", "job", "ready", "result", "idempotency", "payload", "alarm", "schedule"]
)
def test_a_lost_table_is_a_problem_and_no_error(data: Path, table: str) -> None:
    hands = Hands(data)
    hands.run(f"DROP TABLE {table}")
    hands.close()
    found = checked(data)
    assert any("no such table" in item.text for item in found.problems), found.problems
