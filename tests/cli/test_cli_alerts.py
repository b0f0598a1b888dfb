"""Alerts of a server as a process, which tells a real receiver of them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support import Server, run_cli, running_server

KINDS = "tests.cli.sample_kinds"
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
SETTINGS = {
    "SHERATAN_ALERTS__INTERVAL_SECONDS": "0.1",
    "SHERATAN_ALERTS__CLEAR_SECONDS": "0",
    "SHERATAN_ALERTS__RULES__DEAD_LETTERS__HOLD_SECONDS": "0",
    "SHERATAN_ALERTS__TARGETS__OPS__SECRET_ENV": "OPS_SECRET",
    "OPS_SECRET": SECRET,
}


class Heard:
    """What a receiver was sent, as it comes."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self.signed: list[bool] = []
        self._news = threading.Condition()

    def take(self, notice: dict[str, Any], *, signed: bool) -> None:
        with self._news:
            self.notices.append(notice)
            self.signed.append(signed)
            self._news.notify_all()

    def wait(self, what: str) -> dict[str, Any]:
        """The first notice of this kind, once there is one."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.notices if one["what"] == what), None)

        with self._news:
            notice = self._news.wait_for(found, 60)
        assert notice is not None, self.notices
        return notice


@contextmanager
def receiver() -> Generator[tuple[str, Heard]]:
    heard = Heard()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            heard.take(json.loads(body), signed="webhook-signature" in self.headers)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook", heard
        finally:
            server.shutdown()
            thread.join()


def asked(server: Server, *arguments: str) -> Any:
    answer = server.cli("alert", *arguments, "-o", "json")
    return json.loads(answer.stdout)


def test_what_is_wrong_is_told_listed_and_cleared(tmp_path: Path) -> None:
    with receiver() as (url, heard):
        environment = SETTINGS | {"SHERATAN_ALERTS__TARGETS__OPS__URL": url}
        with running_server(tmp_path / "data", [KINDS], env=environment) as server:
            assert asked(server, "test") == [{"target": "ops", "taken": True, "error": None}]
            assert heard.wait("test")["source"] == str(tmp_path / "data")
            job = server.submit("fail")
            raised = heard.wait("raised")
            assert (raised["subject"], raised["runbook"]) == (
                "alert:dead_letters",
                "docs/runbook/dead-letters.md",
            )
            [found] = asked(server, "list")
            assert (found["subject"], found["entry"] >= raised["entry"]) == ("alert:dead_letters", True)
            assert "alert:dead_letters (warning)" in server.cli("status").stdout
            assert "alert:dead_letters" in server.cli("doctor").stdout
            assert 'sheratan_alerts_open{severity="warning"} 1.0' in server.cli("metrics").stdout
            assert server.cli("dlq", "discard", job, "--reason", "a test").returncode == 0
            assert heard.wait("cleared")["subject"] == "alert:dead_letters"
            rules = asked(server, "rules")
            assert [one["taken"] for one in rules["targets"]] == [2]
            assert {one["name"]: one["hold_seconds"] for one in rules["rules"]}["dead_letters"] == 0
            told = server.cli("why", "alert:dead_letters").stdout
            assert "The alert was raised (warning)" in told
            assert SECRET not in server.cli("config", "show").stdout
            assert "ops" in server.cli("alert", "rules").stdout
            assert server.stop() == 0
            assert not any(SECRET in line for line in server.said)
        assert all(heard.signed)
    listed = run_cli("alert", "list", "--all", data=tmp_path / "data")
    assert "cleared" in listed.stdout, "a stopped one has them, too"


def test_a_target_that_takes_nothing_is_told_of(tmp_path: Path) -> None:
    environment = {"SHERATAN_ALERTS__TARGETS__OPS__URL": "http://127.0.0.1:9/"}
    with running_server(tmp_path / "data", [KINDS], env=environment) as server:
        tested = server.cli("alert", "test")
        assert tested.returncode == 1
        assert tested.stdout == "ops has not taken it: Connection refused\n"
        assert server.cli("alert", "test", "--target", "nobody").returncode == 3


def test_what_is_set_wrong_keeps_a_server_from_starting(tmp_path: Path) -> None:
    for name, value, field in (
        ("SHERATAN_ALERTS__RULES__QUEUE_LENGTH__THRESHOLD", "1", "alerts.rules.queue_length.threshold"),
        ("SHERATAN_ALERTS__RULES__QUEUE_AGE__THRESHOLD", "long", "alerts.rules.queue_age.threshold"),
        ("SHERATAN_ALERTS__TARGETS__OPS__URL_ENV", "MISSING", "alerts.targets.ops.url_env"),
    ):
        refused = run_cli("up", "--data", str(tmp_path / "data"), "-o", "json", env={name: value})
        assert refused.returncode != 0
        assert json.loads(refused.stderr.splitlines()[-1])["field"] == field
