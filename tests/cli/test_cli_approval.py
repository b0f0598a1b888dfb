"""The inbox on the command line."""

from __future__ import annotations

import getpass
import json
from typing import Any

from tests.cli.conftest import Stopped
from tests.support import Server, run_cli

ME = f"local:{getpass.getuser()}"


def asked(server: Server, **given: Any) -> tuple[str, str]:
    """A job that waits for an approval, and the request."""
    job = server.submit("pay", json.dumps({"cents": 5} | given))
    while True:
        found = [one for one in listed(server, "--state", "open") if one["job"] == job]
        if found:
            return job, found[0]["id"]


def listed(server: Server, *options: str) -> list[dict[str, Any]]:
    done = server.cli("approval", "list", "-o", "jsonl", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_request_is_listed_shown_and_approved_by_the_digest_that_was_shown(server: Server) -> None:
    job, approval = asked(server)
    assert approval in [one["id"] for one in listed(server, "--mine")]
    shown = server.cli("approval", "show", approval)
    assert "Pay 5 cents?" in shown.stdout
    assert '{"cents":5}' in shown.stdout
    assert f"asked for by {ME}" in shown.stdout
    done = server.cli("approval", "approve", approval, "--comment", "as agreed", "-o", "json")
    told = json.loads(done.stdout)
    assert told["digest"] in done.stderr, "what is approved is shown"
    assert told["digest"] in shown.stdout
    assert server.cli("job", "watch", job).returncode == 0
    after = server.cli("approval", "show", approval)
    assert f"approved (entry {told['entry']})" in after.stdout
    assert f"{ME} approved: as agreed" in after.stdout
    assert f"voted approve on {approval}" in server.cli("why", approval).stdout
    assert [one["id"] for one in listed(server, "--state", "approved")] == [approval]
    assert "0 open" in server.cli("status").stdout


def test_another_digest_is_a_conflict_and_a_denial_ends_it(server: Server) -> None:
    _, approval = asked(server, cents=7)
    wrong = server.cli("approval", "approve", approval, "--digest", "0" * 64)
    assert (wrong.returncode, wrong.stdout) == (5, "")
    assert "look at it again" in wrong.stderr
    assert "error: digest: " in server.cli("approval", "approve", approval, "--digest", "zz").stderr
    assert server.cli("approval", "deny", approval, "--comment", "no").returncode == 0
    assert server.cli("approval", "approve", approval).returncode == 5


def test_who_has_no_say_gets_exit_code_4_and_says_are_handed_on(server: Server) -> None:
    job, approval = asked(server, approvers=["local:anna"])
    assert server.cli("approval", "approve", approval).returncode == 4
    assert server.cli("approval", "delegate", approval, "local:ben").returncode == 4
    assert f"waits for  {approval} by local:anna" in server.cli("job", "show", job).stdout
    assert server.cli("job", "cancel", job).returncode == 0
    _, mine = asked(server, approvers=[ME, "local:anna"])
    assert server.cli("approval", "delegate", mine, "local:ben", "--comment", "on holiday").returncode == 0
    shown = json.loads(server.cli("approval", "show", mine, "-o", "json").stdout)
    assert set(shown["waits_for"]) == {"local:ben", "local:anna"}
    assert server.cli("approval", "delegate", mine, "nobody").returncode == 2
    assert server.cli("approval", "show", "approval:1").returncode == 3


def test_pages_go_on(server: Server) -> None:
    for _ in range(3):
        asked(server)
    page = json.loads(server.cli("approval", "list", "--limit", "2", "-o", "json").stdout)
    rest = listed(server, "--cursor", page["next_cursor"])
    ids = [one["id"] for one in (*page["items"], *rest)]
    assert ids == [one["id"] for one in listed(server)]
    assert len(page["items"]) == 2


def test_a_stopped_server_s_inbox_can_be_read(stopped: Stopped) -> None:
    done = run_cli("approval", "list", "-o", "json", data=stopped.data)
    assert json.loads(done.stdout) == {"items": [], "next_cursor": None}
    assert run_cli("approval", "list", "--mine", data=stopped.data).returncode == 2
    assert run_cli("approval", "show", "approval:1", data=stopped.data).returncode == 3
    assert run_cli("approval", "approve", "approval:1", data=stopped.data).returncode == 1
