"""Probes on the command line: two servers of one machine, each with its own settings, and what is shown of each."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import Server, run_cli, running_server

LOOKS_MAX = 60


class _Listener(socketserver.TCPServer):
    allow_reuse_address = True


@contextmanager
def listening(port: int = 0) -> Generator[int]:
    """Somebody takes every connection at a port, until the block ends."""
    with _Listener(("127.0.0.1", port), socketserver.BaseRequestHandler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()


def shown(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.cli("state", "show", "-o", "json").stdout)
    return found


def until(server: Server, state: str) -> dict[str, Any]:
    """Look until the system is in this state, and every probe is known."""
    found = shown(server)
    for _ in range(LOOKS_MAX):
        if found["state"] == state and all(one["health"] != "unknown" for one in found["probes"]):
            return found
        found = shown(server)
    raise AssertionError(f"the system is {found}")


def environment(port: int) -> dict[str, str]:
    return {
        "SHERATAN_DEPENDENCIES__MAIL__URL": f"tcp://127.0.0.1:{port}",
        "SHERATAN_DEPENDENCIES__MAIL__CRITICAL": "true",
        "SHERATAN_DEPENDENCIES__MAIL__AFFECTS": "invoices",
        "SHERATAN_PROBES__INTERVAL_SECONDS": "0.05",
        "SHERATAN_PROBES__DWELL_SECONDS": "0.1",
    }


def test_two_servers_each_see_what_they_were_told_to_look_at(tmp_path: Path) -> None:
    with listening() as gone:
        pass
    with listening() as here:
        well = running_server(tmp_path / "well", env=environment(here))
        ill = running_server(tmp_path / "ill", env=environment(gone))
        with well as first, ill as second:
            found = until(second, "degraded_critical")
            assert (found["severity"], found["affected"]) == ("critical", ["invoices"])
            assert until(first, "operational")["affected"] == []
            told = second.cli("state", "show").stdout
            assert "Connection refused" in told
            assert "mail is down: Connection refused" in second.cli("status").stdout
            doctor = second.cli("doctor", "-o", "json")
            assert doctor.returncode == 1
            results = {one["check"]: one["result"] for one in json.loads(doctor.stdout)}
            assert (results["probes"], results["state"]) == ("fail", "fail")
            assert "none of 5 is down" in first.cli("doctor").stdout
            assert "down: mail (Connection refused)" in second.cli("why", "system").stdout
            with listening(gone):
                until(second, "operational")
            history = json.loads(second.cli("state", "history", "-o", "json").stdout)
            assert {(one["source"], one["to"], one["actor"]) for one in history[-2:]} == {
                ("operational", "degraded_critical", "engine"),
                ("degraded_critical", "operational", "engine"),
            }
            assert first.cli("state", "history", "-o", "json").stdout.strip() == "[]"
            until(second, "degraded_critical")
            assert second.cli("state", "resume", "--reason", "we can do without").returncode == 0
            for _ in range(LOOKS_MAX):
                if "mail is down (overridden): Connection refused" in second.cli("status").stdout:
                    break
            else:
                raise AssertionError("the status does not say that somebody does without it")
        # Nobody looks any more.
        assert (
            json.loads(run_cli("state", "show", "-o", "json", data=tmp_path / "well").stdout)["probes"] == []
        )


def test_settings_of_dependencies_are_shown_with_their_origin(tmp_path: Path) -> None:
    done = run_cli("config", "show", "--origin", data=tmp_path, env=environment(25))
    assert done.returncode == 0
    [line] = [one for one in done.stdout.splitlines() if one.startswith("dependencies.mail.url")]
    assert "tcp://127.0.0.1:25" in line
    assert "environment SHERATAN_DEPENDENCIES__MAIL__URL" in line
