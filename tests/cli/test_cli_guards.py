"""What a server says of the calls that its worker makes: in its status, its metrics and its log."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_cli_health import listening
from tests.support import run_cli, running_server

KINDS = "tests.cli.sample_kinds"


def test_an_open_breaker_is_seen_and_so_is_its_end(tmp_path: Path) -> None:
    with listening() as port:
        pass
    env = {
        "SHERATAN_DEPENDENCIES__MAIL__GUARD__FAILURES_MAX": "2",
        "SHERATAN_DEPENDENCIES__MAIL__GUARD__CONCURRENCY": "7",
        "SHERATAN_DEPENDENCIES__MAIL__GUARD__OPEN_SECONDS": "3600",
        "SHERATAN_DEPENDENCIES__MAIL__GUARD__OPEN_SECONDS_MAX": "3600",
        "SHERATAN_LOG__FORMAT": "json",
        "SHERATAN_LOG__LEVEL": "info",
    }
    with running_server(tmp_path / "data", [KINDS], env=env) as server:
        before = server.cli("metrics").stdout.splitlines()
        assert 'sheratan_guard_state{dependency="mail",state="closed"} 1.0' in before
        assert 'sheratan_guard_calls_limit{dependency="mail"} 7.0' in before
        for _ in range(3):
            job = server.submit("call_outside", str(port))
            server.cli("job", "watch", job)
        shown = json.loads(server.cli("job", "show", job, "-o", "json").stdout)
        assert shown["error"]["type"] == "DependencyUnavailable"
        assert "mail is not called: its breaker is open for another 3" in shown["error"]["message"]
        assert "failed for good with DependencyUnavailable" in server.cli("why", job).stdout
        status = server.cli("status")
        assert status.returncode == 0, "a server whose dependency is down is ready all the same"
        because = "2 calls in a row have failed, the last with: ConnectionRefusedError"
        assert "the breaker of mail is open until " in status.stdout
        assert because in status.stdout
        [guard] = json.loads(server.cli("status", "-o", "json").stdout)["guards"]
        assert (guard["dependency"], guard["state"], guard["concurrency"]) == ("mail", "open", 7)
        assert guard["calls"] == {
            "succeeded": 0, "failed": 2, "declined": 0, "abandoned": 0, "refused": 1
        }  # fmt: skip
        after = server.cli("metrics").stdout.splitlines()
        assert 'sheratan_guard_state{dependency="mail",state="open"} 1.0' in after
        assert 'sheratan_guard_state{dependency="mail",state="closed"} 0.0' in after
        assert 'sheratan_guard_calls_total{dependency="mail",outcome="failed"} 2.0' in after
        assert 'sheratan_guard_calls_total{dependency="mail",outcome="refused"} 1.0' in after
        assert 'sheratan_guard_calls_in_flight{dependency="mail"} 0.0' in after
        assert server.stop() == 0
        [told] = [line for line in map(json.loads, server.said) if line["event"] == "breaker.opened"]
        assert (told["dependency"], told["because"], told["level"]) == ("mail", because, "warning")
    assert json.loads(run_cli("status", "-o", "json", data=tmp_path / "data").stdout)["guards"] == []
