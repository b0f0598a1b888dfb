"""Lines of the log: what is in them, what never is, and how many there may be."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sheratan import Context, Fatal, Retryable, job
from sheratan.contracts.errors import InvalidInput, JobFailed
from sheratan.contracts.telemetry import (
    CommandRefused,
    CommitFailed,
    EngineHalted,
    EntryCommitted,
    TraceSettings,
)
from sheratan.settings import LogSettings, MetricsSettings, Settings
from sheratan.telemetry.logs import LINES_PER_SECOND_MAX, Log, open_file
from sheratan.telemetry.tellable import VALUE_LENGTH_MAX
from sheratan.wiring.server import Server

SECOND = 1_000_000
TOKEN = "ghp_" + "a1" * 18
ENTRY = EntryCommitted(
    at_us=1_763_800_000_123_456,
    type="job.failed",
    entry=4,
    subject="job_1",
    tenant="default",
    actor="worker:w/2",
    on_behalf_of="local:ada",
    text="Attempt 1 failed with ValueError (fatal).",
    kind="mail",
)


class Written:
    """A log in a file, and what is in it."""

    def __init__(self, path: Path, *, is_json: bool = True) -> None:
        self.descriptor = open_file(str(path))
        self.log = Log(self.descriptor, is_json=is_json)
        self._path = path

    @property
    def text(self) -> str:
        return self._path.read_text("utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    made = Written(tmp_path / "log")
    yield made
    os.close(made.descriptor)


def test_an_entry_is_a_line_of_json(written: Written) -> None:
    written.log(ENTRY)
    [line] = written.lines
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line == {
        "timestamp": "2025-11-22T08:26:40.123456Z",
        "level": "warning",
        "event": "job.failed",
        "entry": 4,
        "job": "job_1",
        "tenant": "default",
        "actor": "worker:w/2",
        "on_behalf_of": "local:ada",
        "text": "Attempt 1 failed with ValueError (fatal).",
        "kind": "mail",
    }


def test_a_run_and_anything_else_have_fields_of_their_own(written: Written) -> None:
    for subject in ("run_7", "worker:w/2"):
        written.log(msgspec.structs.replace(ENTRY, subject=subject))
    assert [(line.get("run"), line.get("subject")) for line in written.lines] == [
        ("run_7", None),
        (None, "worker:w/2"),
    ]


def test_text_for_eyes_cannot_steer_a_terminal(tmp_path: Path) -> None:
    made = Written(tmp_path / "log", is_json=False)
    made.log(CommitFailed(at_us=0, reason="red\x1b[31m\nalert", refused=2))
    os.close(made.descriptor)
    assert made.text.count("\n") == 1
    assert made.text.isascii()
    assert "\x1b" not in made.text
    assert "commit.failed" in made.text
    assert "refused=2" in made.text


def test_what_looks_like_a_credential_is_left_out(written: Written) -> None:
    for secret in (TOKEN, "AKIA" + "Q" * 16, "Bearer " + "x" * 20, "-----BEGIN RSA PRIVATE KEY-----"):
        written.log(CommitFailed(at_us=0, reason=f"the key was {secret}", refused=0))
        assert secret not in written.text
    assert [line["reason"] for line in written.lines] == [
        "[left out: a GitHub token]",
        "[left out: an AWS access key]",
        "[left out: a bearer token]",
        "[left out: a private key]",
    ]


def test_a_value_is_cut_off_where_it_is_too_long(written: Written) -> None:
    written.log(EngineHalted(at_us=0, reason="x" * 10_000))
    assert len(written.lines[0]["reason"]) == VALUE_LENGTH_MAX


def test_a_flood_of_one_name_leaves_room_for_others_and_says_how_many_were_left_out(written: Written) -> None:
    refused = CommandRefused(at_us=5 * SECOND, command="Submit", code="limit_reached", field=None)
    for _ in range(LINES_PER_SECOND_MAX + 20):
        written.log(refused)
    written.log(EngineHalted(at_us=5 * SECOND + 1, reason="r"))
    assert [line["event"] for line in written.lines] == ["command.refused"] * LINES_PER_SECOND_MAX + [
        "engine.halted"
    ]
    written.log(CommandRefused(at_us=6 * SECOND, command="Submit", code="limit_reached", field=None))
    left_out, again = written.lines[LINES_PER_SECOND_MAX + 1 :]
    assert (left_out["event"], left_out["name"], left_out["count"]) == ("log.left_out", "command.refused", 20)
    assert again["event"] == "command.refused"


def test_a_pipe_that_takes_little_at_a_time_gets_whole_lines() -> None:
    reading, writing = os.pipe()
    log = Log(writing, is_json=True)
    log(EngineHalted(at_us=0, reason="y" * VALUE_LENGTH_MAX))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert json.loads(pipe.read())["reason"] == "y" * VALUE_LENGTH_MAX


def test_a_file_that_cannot_be_written_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"log\.file: .* cannot be written"):
        open_file(str(tmp_path / "no" / "such"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="cannot be written"):
        open_file(str(tmp_path / "pipe"))
    path = tmp_path / "log"
    os.close(open_file(str(path)))
    assert path.stat().st_mode & 0o077 == 0, "who may read the data may read the log, and nobody else"


@job(attempts_max=2, backoff_base_seconds=0.001, backoff_max_seconds=0.001)
async def leaky(ctx: Context, given: dict[str, str]) -> dict[str, str]:
    """Put what it was given everywhere that a handler can put it."""

    async def stepped() -> str:
        return given["key"]

    await ctx.step("fetch", stepped)
    if given["how"] == "retry" and ctx.attempt == 1:
        raise Retryable(f"wrong key {given['key']}")
    if given["how"] == "fail":
        raise Fatal(f"wrong key {given['key']}")
    return {"key": given["key"]}


def test_no_input_output_error_or_step_is_in_any_line(tmp_path: Path) -> None:
    """At the level that tells most, with a secret of which nobody could tell by its looks that it is one."""
    secret = "correct-horse-battery"
    path = tmp_path / "log"

    async def scenario() -> None:
        server = Server(Settings(data=str(tmp_path / "data")), program="a test")
        server.observe(
            LogSettings(level="debug", format="json", file=str(path)), MetricsSettings(), TraceSettings()
        )
        try:
            await server.start([leaky])
            client = server.client()
            for how in ("succeed", "retry", "fail"):
                try:
                    await client.run(leaky, {"how": how, "key": secret})
                except JobFailed:
                    assert how == "fail"
        finally:
            await server.stop(1, "the test is over")

    asyncio.run(scenario())
    text = path.read_text("utf-8")
    told = {json.loads(line)["event"] for line in text.splitlines()}
    wanted = {
        "job.submitted",
        "worker.leased",
        "step.succeeded",
        "job.retried",
        "job.failed",
        "job.succeeded",
    }
    assert wanted | {"engine.stopped"} <= told
    assert secret not in text
