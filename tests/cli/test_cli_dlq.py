"""Dead letters and bulk operations on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import KINDS, Stopped
from tests.support import Server, running_server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data", [KINDS]) as running:
        yield running


def failed(server: Server, *options: str) -> str:
    done = server.cli("job", "submit", "fail", "--wait", "-o", "json", *options)
    return str(json.loads(done.stdout)["id"])


def letters(server: Server, *options: str) -> list[dict[str, Any]]:
    done = server.cli("dlq", "list", "-o", "jsonl", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_dead_letter_is_listed_shown_edited_and_gone(own: Server) -> None:
    job = failed(own, "--tag", "eu", "--tag", "nightly")
    assert [(one["id"], one["error_class"], one["tags"]) for one in letters(own, "--tag", "eu")] == [
        (job, "fatal", ["eu", "nightly"])
    ]
    assert letters(own, "--tag", "us") == []
    shown = own.cli("dlq", "show", job)
    assert "the disk\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    refused = own.cli("dlq", "edit", job, "--input", "3", "-o", "json")
    assert (refused.returncode, json.loads(refused.stderr)["field"]) == (2, "input")
    done = own.cli("dlq", "edit", job, "--priority", "1", "--tag", "us", "-o", "json")
    again = json.loads(own.cli("job", "show", json.loads(done.stdout)["id"], "-o", "json").stdout)
    assert (again["origin"], again["priority"], again["tags"]) == (job, 1, ["us"])
    assert own.cli("dlq", "show", job).returncode == 3
    assert own.cli("dlq", "replay", job).returncode == 5


def test_discarding_needs_no_more_than_an_id(own: Server) -> None:
    job = failed(own)
    done = own.cli("dlq", "discard", job, "--reason", "not worth it")
    assert done.stdout.startswith("entry ")
    assert letters(own) == []
    assert "not worth it" in own.cli("why", job).stdout
    assert json.loads(own.cli("status", "-o", "json").stdout)["dead_letters"] == 0


def test_many_are_looked_at_first_and_dealt_with_then(own: Server) -> None:
    jobs = [failed(own, "--tag", "nightly") for _ in range(3)]
    kept = failed(own)
    look = own.cli("dlq", "replay", "--filter", "tag=nightly", "--dry-run", "-o", "json")
    assert json.loads(look.stdout) == {"jobs": 3, "sample": jobs, "is_more": False}
    assert len(letters(own)) == 4
    done = own.cli("dlq", "discard", "--filter", "tag=nightly", "--filter", "error-class=fatal", "-o", "json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["state"], record["jobs"]) == ("ended", 3)
    assert [one["id"] for one in letters(own)] == [kept]
    told = own.cli("why", record["id"])
    assert "began a bulk discard" in told.stdout
    status = json.loads(own.cli("status", "-o", "json").stdout)
    assert (status["dead_letters"], status["ended"]["failed"]) == (1, 4)


def test_waiting_jobs_are_cancelled_and_ended_ones_retried_by_filter(own: Server) -> None:
    own.cli("queue", "pause", "slow")
    for _ in range(3):
        own.submit("until_cancelled", "null")
    done = own.cli(
        "job", "cancel", "--filter", "queue=slow", "--limit", "2", "--reason", "enough", "-o", "json"
    )
    assert json.loads(done.stdout)["jobs"] == 2
    listed = own.cli("job", "list", "--queue", "slow", "--state", "cancelled", "-o", "jsonl")
    assert listed.stdout.count("\n") == 2
    done = own.cli("job", "retry", "--filter", "state=cancelled", "-o", "json")
    assert json.loads(done.stdout)["jobs"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("dlq", "replay"),
        ("dlq", "discard"),
        ("job", "cancel"),
        ("job", "retry"),
        ("dlq", "replay", "job_1", "--all"),
        ("job", "cancel", "job_1", "--filter", "queue=a"),
        ("dlq", "replay", "job_1", "--dry-run"),
        ("dlq", "discard", "job_1", "--limit", "3"),
        ("job", "retry", "--all", "--wait"),
        ("dlq", "replay", "--filter", "queue"),
        ("dlq", "replay", "--filter", "nothing=1"),
        ("dlq", "replay", "--filter", "queue=a", "--filter", "queue=b"),
        ("dlq", "replay", "--filter", "created-from=soon"),
        ("dlq", "replay", "--filter", "error-class=sad"),
        ("dlq", "list", "--created-from", "soon"),
        ("dlq", "edit", "job_1"),
    ],
)
def test_a_misuse_is_told_and_does_nothing(server: Server, arguments: tuple[str, ...]) -> None:
    assert server.cli(*arguments).returncode == 2


def test_a_filter_that_there_is_not_is_told_with_those_that_there_are(server: Server) -> None:
    done = server.cli("dlq", "replay", "--filter", "tg=a")
    assert (
        "'tg=a' filters by nothing that there is; there are state, kind, queue, partition, tag, error-class"
        in (done.stderr)
    )


def test_instants_are_read_in_utc_unless_they_say_otherwise(own: Server) -> None:
    job = failed(own)
    assert [one["id"] for one in letters(own, "--created-from", "2020-01-01")] == [job]
    assert letters(own, "--created-until", "2020-01-01T00:00:00+02:00") == []
    assert letters(own, "--finished-from", "2100-01-01T00:00:00Z") == []


def test_a_stopped_data_directory_shows_its_dead_letters(stopped: Stopped) -> None:
    from tests.support import run_cli  # noqa: PLC0415 - as the tests of stopped directories do

    done = run_cli("dlq", "list", "-o", "json", data=stopped.data)
    assert [one["id"] for one in json.loads(done.stdout)["items"]] == [stopped.failed]
    assert run_cli("dlq", "show", stopped.failed, data=stopped.data).returncode == 0
    look = run_cli("dlq", "discard", "--all", "--dry-run", "-o", "json", data=stopped.data)
    assert json.loads(look.stdout)["jobs"] == 1
    assert run_cli("dlq", "discard", "--all", data=stopped.data).returncode != 0
