"""Schedules over the command line of a running server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import Server, run_cli, running_server

LEFT = ("--input", '{"left": 1}')
YEARLY = ("--cron", "0 3 1 1 *", "--zone", "Europe/Berlin")


def created(server: Server, name: str, *more: str) -> None:
    done = server.cli("schedule", "create", name, "add", *LEFT, *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{name} is created\n"


def test_a_schedule_is_created_once(server: Server) -> None:
    created(server, "once", *YEARLY)
    again = server.cli("schedule", "create", "once", "add", *LEFT, *YEARLY, "-o", "json")
    assert json.loads(again.stdout) == {"name": "once", "outcome": "unchanged"}
    other = server.cli("schedule", "create", "once", "add", *LEFT, "--cron", "@daily")
    assert other.returncode == 5
    assert "cron" in other.stderr
    replaced = server.cli("schedule", "create", "once", "add", *LEFT, "--cron", "@daily", "--replace")
    assert replaced.stdout == "once is changed\n"


def test_what_is_shown_is_the_whole_definition(server: Server) -> None:
    said = (
        "--tag",
        "a",
        "--tag",
        "b",
        "--partition",
        "acme",
        "--cost",
        "3",
        "--timeout",
        "90s",
        "--attempts",
        "7",
    )
    created(server, "whole", *YEARLY, *said)
    pairs = [line.split(maxsplit=1) for line in server.cli("schedule", "show", "whole").stdout.splitlines()]
    shown = {name: value for name, value in pairs if name != "last"}
    assert (shown["tags"], shown["partition"], shown["attempts"]) == ("a, b", "acme", "7")
    assert (shown["timeout"], shown["cost"], shown["input"]) == ("90 s", "3", '{"left":1}')
    record = json.loads(server.cli("schedule", "show", "whole", "-o", "json").stdout)
    options = record["schedule"]["submission"]["options"]
    assert (options["cost"], options["tags"], options["partition"]) == (3, ["a", "b"], "acme")


def test_a_schedule_fires_and_its_job_is_run(server: Server) -> None:
    created(server, "often", "--every", "1s", "--queue", "beat")
    watched = server.cli("job", "list", "--queue", "beat", "-o", "json")
    for _ in range(100):
        if json.loads(watched.stdout)["items"]:
            break
        watched = server.cli("job", "list", "--queue", "beat", "-o", "json")
    job = json.loads(watched.stdout)["items"][0]["id"]
    assert server.cli("job", "watch", job).returncode == 0
    shown = json.loads(server.cli("schedule", "show", "often", "-o", "json").stdout)
    assert shown["last_job"].startswith("job_")
    assert shown["schedule"]["submission"]["input"] == {"left": 1}
    story = server.cli("why", "schedule:often").stdout
    assert "submitted job_" in story
    assert "schedule.overlap@2" in story
    assert server.cli("schedule", "delete", "often", "--reason", "enough").stdout == "often is deleted\n"
    assert "deleted the schedule: enough" in server.cli("why", "schedule:often").stdout


def test_what_comes_next_is_shown_in_utc_and_in_the_zone(server: Server) -> None:
    created(server, "yearly", *YEARLY)
    done = server.cli("schedule", "next", "yearly", "-n", "2", "--after", "2026-06-01T00:00:00Z")
    first = done.stdout.splitlines()[1]
    assert "2027-01-01T02:00:00.000Z" in first
    assert "2027-01-01T03:00:00+01:00" in first
    assert len(done.stdout.splitlines()) == 3


def test_all_pages_are_one_list(server: Server) -> None:
    names = {f"paged-{number}" for number in range(3)}
    for name in names:
        created(server, name, *YEARLY)
    pages = ("schedule", "list", "--limit", "1", "--all")
    document = json.loads(server.cli(*pages, "-o", "json").stdout)
    assert names <= {one["name"] for one in document["items"]}
    assert document["next_cursor"] is None
    lines = server.cli(*pages, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == document["items"]
    assert all(name in server.cli(*pages).stdout for name in names)


def test_pause_and_resume_say_what_they_changed(server: Server) -> None:
    created(server, "calm", *YEARLY)
    assert server.cli("schedule", "pause", "calm", "--reason", "a rest").stdout == "calm is paused\n"
    assert server.cli("schedule", "pause", "calm").stdout == "calm is paused, as it was\n"
    listed = server.cli("schedule", "list", "-o", "json")
    states = {one["name"]: one["state"] for one in json.loads(listed.stdout)["items"]}
    assert states["calm"] == "paused"
    assert server.cli("schedule", "resume", "calm").stdout == "calm is active\n"


def test_a_backfill_is_shown_before_it_is_made(server: Server) -> None:
    created(server, "past", *YEARLY)
    span = ("--from", "2020-01-01T00:00:00Z", "--until", "2022-12-31T00:00:00+00:00")
    planned = json.loads(server.cli("schedule", "backfill", "past", *span, "--dry-run", "-o", "json").stdout)
    assert [one["job"] for one in planned] == [None] * 3
    done = json.loads(server.cli("schedule", "backfill", "past", *span, "-o", "json").stdout)
    assert all(one["job"].startswith("job_") for one in done)


def test_a_paused_schedule_is_triggered_once_for_each_key(server: Server) -> None:
    created(server, "by-hand", *YEARLY)
    server.cli("schedule", "pause", "by-hand")
    told = ("schedule", "trigger", "by-hand", "--key", "one", "--reason", "a look")
    first = server.cli(*told)
    assert (first.stdout[:4], first.stderr) == ("job_", "")
    again = server.cli(*told)
    assert again.stdout == first.stdout
    assert "it was triggered before under this key" in again.stderr
    others = [server.cli("schedule", "trigger", "by-hand").stdout for _ in range(2)]
    assert len({first.stdout, *others}) == 3
    assert "had it submit a job out of turn: a look" in server.cli("why", "schedule:by-hand").stdout
    refused = server.cli("schedule", "trigger", "nobody")
    assert (refused.returncode, "there is no schedule nobody" in refused.stderr) == (3, True)


def test_a_backfill_of_a_time_without_firings_says_so(server: Server) -> None:
    created(server, "hourly", "--every", "1h")
    done = server.cli(
        "schedule", "backfill", "hourly", "--from", "2026-01-01", "--until", "2026-01-02", "--dry-run"
    )
    assert "none of the firings of hourly lies in that time; intervals count from --starts" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("create", "bad", "add", *LEFT, "--cron", "61 * * * *"), 2, "cron"),
        (("create", "bad", "add", *LEFT, "--cron", "@daily", "--zone", "Mars/Olympus"), 2, "zone"),
        (("create", "bad", "none", "--cron", "@daily"), 2, "submission.kind"),
        (("create", "bad", "add", *LEFT, "--at", "tomorrow"), 2, "not an instant"),
        (("create", "bad", "add", *LEFT, "--at", "2020-01-01T00:00:00"), 2, "none of its firings lies ahead"),
        (("show", "nobody"), 3, "no schedule nobody"),
        (("pause", "nobody"), 3, "no schedule nobody"),
    ],
)
def test_a_refusal_names_what_is_wrong(
    server: Server, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = server.cli("schedule", *arguments)
    assert done.returncode == exit_code
    assert said in done.stderr


def test_a_stopped_data_directory_tells_of_its_schedules(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, ["tests.cli.sample_kinds"]) as server:
        created(server, "left", *YEARLY)
        assert server.stop() == 0
    assert run_cli("schedule", "list", data=data).stdout.splitlines()[1].startswith("left")
    assert "every" not in run_cli("schedule", "show", "left", data=data).stdout
    assert len(run_cli("schedule", "next", "left", "-n", "3", data=data).stdout.splitlines()) == 4
    status = json.loads(run_cli("status", "-o", "json", data=data).stdout)
    assert (status["schedules"], status["schedules_lag_us"]) == (1, 0)
    assert "1, none is late" in run_cli("status", data=data).stdout
    assert run_cli("journal", "verify", data=data).returncode == 0
    assert run_cli("journal", "replay", data=data).returncode == 0


def test_a_workflow_is_scheduled_and_run(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "sums.yaml"
    path.write_text(
        "format: sheratan.workflow/1\nname: sums\nnodes:\n"
        '  - {name: first, kind: add, input: {left: "${input}"}}\noutput: "${first.output}"\n'
    )
    once = ("--workflow", str(path), "--input", "4")
    assert server.cli("schedule", "create", "sums", *once, "--cron", "@daily").returncode == 0
    assert "workflow sums" in server.cli("schedule", "list").stdout
    assert "workflow     sums" in server.cli("schedule", "show", "sums").stdout
    span = ("--from", "2026-01-01T00:00:00Z", "--until", "2026-01-01T12:00:00Z")
    shown = server.cli("schedule", "backfill", "sums", *span)
    assert shown.stdout.splitlines()[0].endswith("RUN")
    [made] = json.loads(server.cli("schedule", "backfill", "sums", *span, "-o", "json").stdout)
    assert made["run"] in shown.stdout
    assert server.cli("workflow", "show", made["run"]).returncode == 0
    assert "of schedule:sums" in server.cli("why", made["run"]).stdout


def test_a_schedule_has_either_a_kind_or_a_workflow(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "sums.yaml"
    path.write_text("format: sheratan.workflow/1\nname: sums\nnodes: [{name: first, kind: add}]\n")
    both = server.cli("schedule", "create", "x", "add", "--workflow", str(path), "--cron", "@daily")
    assert (both.returncode, "give a KIND, or a workflow" in both.stderr) == (2, True)
    assert server.cli("schedule", "create", "x", "--cron", "@daily").returncode == 2
    options = server.cli(
        "schedule", "create", "x", "--workflow", str(path), "--queue", "q", "--cron", "@daily"
    )
    assert (options.returncode, "queue: a workflow says itself" in options.stderr) == (2, True)
