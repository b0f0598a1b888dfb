"""Jobs over the socket of a running server."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.support import Server, run_cli, started_cli


def test_submit_prints_the_id_alone_so_that_a_script_can_take_it(server: Server) -> None:
    done = server.cli("job", "submit", "add", "--input", '{"left": 1}')
    assert done.returncode == 0
    assert done.stdout.startswith("job_")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_submit_and_wait_gives_the_record_with_the_output(server: Server) -> None:
    done = server.cli("job", "submit", "add", "--input", '{"left": 2, "right": 3}', "--wait", "-o", "json")
    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert (record["state"], record["output"], record["input"]) == ("succeeded", 5, {"left": 2, "right": 3})
    assert record["id"] in done.stderr


def test_a_job_that_fails_is_shown_and_ends_the_wait_with_exit_code_1(server: Server) -> None:
    done = server.cli("job", "submit", "fail", "--wait", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["state"] == "failed"
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "job_failed"


def test_an_error_text_cannot_steer_the_terminal(server: Server) -> None:
    done = server.cli("job", "submit", "fail", "--wait")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[31mred" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_wait_that_takes_too_long_ends_with_exit_code_124(server: Server) -> None:
    done = server.cli("job", "submit", "until_cancelled", "--wait-timeout", "10ms")
    assert done.returncode == 124
    assert "(timed_out)" in done.stderr


def test_the_input_comes_from_a_file_or_from_stdin(server: Server, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"left": 20, "right": 1}', "utf-8")
    from_file = server.cli(
        "job", "submit", "add", "--input", f"@{tmp_path / 'input.json'}", "--wait", "-o", "json"
    )
    assert json.loads(from_file.stdout)["output"] == 21
    from_stdin = server.cli(
        "job", "submit", "add", "--input", "-", "--wait", "-o", "json", stdin='{"left": 9}'
    )
    assert json.loads(from_stdin.stdout)["output"] == 9


def test_options_reach_the_job(server: Server) -> None:
    first = server.submit("add", '{"left": 1}', "--delay", "1h")
    options = ("--queue", "other", "--priority", "2", "--attempts", "7", "--timeout", "2m", "--after", first)
    second = server.submit("add", '{"left": 1}', *options, "--after-failure", "run")
    shown = json.loads(server.cli("job", "show", second, "-o", "json").stdout)
    assert shown["state"] == "blocked"
    assert (shown["queue"], shown["priority"], shown["attempts_max"]) == ("other", 2, 7)
    assert shown["after"] == [first]
    assert json.loads(server.cli("job", "show", first, "-o", "json").stdout)["state"] == "scheduled"


def test_the_same_key_gives_the_same_job_and_another_request_under_it_is_a_conflict(server: Server) -> None:
    first = server.cli("job", "submit", "add", "--input", '{"left": 1}', "--key", "once", "-o", "json")
    again = server.cli("job", "submit", "add", "--input", '{"left": 1}', "--key", "once", "-o", "json")
    assert json.loads(again.stdout) == {**json.loads(first.stdout), "existing": True}
    other = server.cli("job", "submit", "add", "--input", '{"left": 2}', "--key", "once")
    assert other.returncode == 5
    assert "(idempotency_conflict)" in other.stderr


def test_cancel_says_whether_it_is_done_or_asked_for(server: Server) -> None:
    waiting = server.submit("add", '{"left": 1}', "--delay", "1h")
    assert server.cli("job", "cancel", waiting, "--reason", "not needed").stdout == "cancelled\n"
    assert "not needed" in server.cli("why", waiting).stdout
    again = server.cli("job", "cancel", waiting)
    assert again.returncode == 5
    assert "(already_ended)" in again.stderr


def test_retry_makes_a_new_job_that_names_its_origin(server: Server) -> None:
    failed = server.cli("job", "submit", "fail", "--wait", "-o", "json")
    origin = json.loads(failed.stdout)["id"]
    done = server.cli("job", "retry", origin, "--wait", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["origin"] == origin


def test_watch_tells_a_running_job_until_it_ends(server: Server) -> None:
    job = server.submit("add", '{"left": 1}', "--delay", "300ms")
    done = server.cli("job", "watch", job, "-o", "jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [line["type"] for line in lines] == ["job.submitted", "job.due", "worker.leased", "job.succeeded"]


def test_watch_without_an_id_tells_everything_until_it_is_interrupted(server: Server) -> None:
    with started_cli("job", "watch", "-o", "jsonl", data=server.data) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("watching")
        job = server.submit("add", '{"left": 1}', "--delay", "1h")
        told = json.loads(watching.stdout.readline())
        assert (told["type"], told["subject"]) == ("job.submitted", job)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
        assert watching.stderr.read() == ""


def test_an_interrupted_wait_says_which_job_goes_on(server: Server) -> None:
    with started_cli("job", "submit", "until_cancelled", "--wait", data=server.data) as waiting:
        assert waiting.stderr is not None
        job = waiting.stderr.readline().removeprefix("submitted ").strip()
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(30) == 130
    assert json.loads(server.cli("job", "show", job, "-o", "json").stdout)["state"] in ("queued", "running")


def test_watch_without_an_id_refuses_a_document_that_never_ends(server: Server) -> None:
    done = server.cli("job", "watch", "-o", "json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["code"] == "usage"


def test_list_pages_through_everything_in_every_format(server: Server) -> None:
    made = {server.submit("add", f'{{"left": {number}}}', "--queue", "pages") for number in range(5)}
    page = json.loads(server.cli("job", "list", "--queue", "pages", "--limit", "2", "-o", "json").stdout)
    assert len(page["items"]) == 2
    rest = server.cli("job", "list", "--queue", "pages", "--cursor", page["next_cursor"], "-o", "jsonl")
    assert len(rest.stdout.splitlines()) == 3
    pages = ("job", "list", "--queue", "pages", "--limit", "2", "--all")
    document = json.loads(server.cli(*pages, "-o", "json").stdout)
    assert {item["id"] for item in document["items"]} == made
    assert document["next_cursor"] is None
    assert {json.loads(line)["id"] for line in server.cli(*pages, "-o", "jsonl").stdout.splitlines()} == made
    assert all(job in server.cli(*pages).stdout for job in made)


def test_an_empty_list_is_an_empty_document(server: Server) -> None:
    done = server.cli("job", "list", "--queue", "never-used", "--all", "-o", "json")
    assert json.loads(done.stdout) == {"items": [], "next_cursor": None}
    assert server.cli("job", "list", "--queue", "never-used", "-o", "jsonl").stdout == ""


def test_filters_of_a_list(server: Server) -> None:
    server.cli("job", "submit", "fail", "--wait")
    done = server.cli("job", "list", "--state", "failed", "--kind", "fail", "-o", "jsonl")
    assert {(item["kind"], item["state"]) for item in map(json.loads, done.stdout.splitlines())} == {
        ("fail", "failed")
    }


def test_a_table_that_is_piped_is_not_shortened(server: Server) -> None:
    job = server.submit("add", '{"left": 1}', "--queue", "q" * 128, "--delay", "1h")
    assert f"{job}  add   {'q' * 128}" in server.cli("job", "list", "--queue", "q" * 128).stdout


@pytest.mark.parametrize(
    "command",
    [
        ("queue", "pause", "rest"),
        ("queue", "resume", "rest"),
        ("kind", "pause", "rest"),
        ("kind", "resume", "rest"),
    ],
)
def test_pause_and_resume_say_whether_they_changed_anything(server: Server, command: tuple[str, ...]) -> None:
    server.cli(command[0], "resume" if command[1] == "pause" else "pause", "rest")
    assert json.loads(server.cli(*command, "-o", "json").stdout)["changed"] is True
    assert json.loads(server.cli(*command, "-o", "json").stdout)["changed"] is False
    assert "as it was" in server.cli(*command).stdout


def test_a_paused_queue_says_why(server: Server) -> None:
    server.cli("queue", "pause", "closed", "--reason", "inventory")
    listed = json.loads(server.cli("queue", "list", "-o", "json").stdout)
    closed = next(one for one in listed if one["name"] == "closed")
    assert (closed["paused"], closed["paused_reason"]) == (True, "inventory")
    assert "inventory" in server.cli("queue", "list").stdout
    assert "inventory" in server.cli("why", "queue:closed").stdout
    assert "paused: queue:closed" in server.cli("status").stdout


def test_limits_are_set_listed_and_lifted(server: Server) -> None:
    given = (
        "--concurrency",
        "5",
        "--rate",
        "100/1m",
        "--burst",
        "10",
        "--weight",
        "2",
        "--reason",
        "a contract",
    )
    done = server.cli("queue", "limit", "narrow", *given)
    assert done.stdout.startswith("narrow: 5 at once; 100 in 60 s, bursts of 10; weight 2 (entry ")
    listed = json.loads(server.cli("queue", "list", "-o", "json").stdout)
    assert next(one["limits"] for one in listed if one["name"] == "narrow") == {
        "concurrency": 5,
        "rate": {"count": 100, "period_seconds": 60.0, "burst": 10},
        "weight": 2,
        "ageing_seconds": None,
        "per_partition": None,
    }
    assert "5 at once; 100 in 60 s" in server.cli("queue", "list").stdout
    assert "a contract" in server.cli("why", "queue:narrow").stdout
    assert server.cli("queue", "limit", "narrow", "--none").stdout.startswith("narrow: no limits")


def test_a_job_of_a_limited_kind_says_what_holds_it_up(server: Server) -> None:
    assert server.cli("kind", "limit", "add", "--rate", "1/1h", "--burst", "0").returncode == 2
    assert server.cli("kind", "limit", "add", "--rate", "1/1h").returncode == 0
    server.submit("add", '{"left": 1}', "--wait")
    held = server.submit("add", '{"left": 1}', "--cost", "2")
    shown = server.cli("job", "show", held).stdout
    assert "the rate of kind:add, 1 in 3600.000 s" in shown
    held_up = r"rate of kind:add, since 20\S+, until 20\S+, for another [0-9.]+ s \(entry [0-9]+\)"
    assert re.search(rf"blocked by +{held_up}", shown)
    assert re.search(rf"held up by the {held_up}", server.cli("why", held).stdout)
    assert "cost" in shown
    kinds = json.loads(server.cli("kind", "list", "-o", "json").stdout)
    [add] = [one for one in kinds if one["subject"] == "kind:add"]
    assert (add["queued"], add["limits"]["rate"]["count"]) == (1, 1)
    assert "1 in 3600 s" in server.cli("kind", "list").stdout
    assert server.cli("kind", "limit", "add", "--none").returncode == 0
    assert server.cli("job", "watch", held).returncode == 0


def test_a_partition_has_limits_of_its_own_and_says_so(server: Server) -> None:
    given = ("--partition-concurrency", "2", "--partition-rate", "1/1h", "--partition-burst", "1")
    done = server.cli("queue", "limit", "shared", *given)
    assert done.stdout.startswith("shared: each partition 2 at once; each partition 1 in 3600 s (entry ")
    server.submit("add", '{"left": 1}', "--queue", "shared", "--partition", "acme", "--wait")
    held = server.submit("add", '{"left": 1}', "--queue", "shared", "--partition", "acme")
    server.submit("add", '{"left": 1}', "--queue", "shared", "--partition", "umbrella", "--wait")
    assert "the rate of partition acme of queue:shared" in server.cli("job", "show", held).stdout
    shown = json.loads(server.cli("job", "show", held, "-o", "json").stdout)
    assert (shown["partition"], shown["blocked_by"][0]["partition"]) == ("acme", "acme")
    assert server.cli("journal", "replay").returncode == 0
    assert server.cli("queue", "limit", "shared", "--none").returncode == 0
    assert server.cli("job", "watch", held).returncode == 0


def test_why_numbers_its_sentences_and_names_entry_and_rule(server: Server) -> None:
    job = server.submit("add", '{"left": 1}', "--wait", "-o", "jsonl")
    told = server.cli("why", json.loads(job)["id"], "--rules").stdout
    assert " is succeeded." in told
    assert "  1. 20" in told
    assert "job.admission@2)" in told
    story = json.loads(server.cli("why", json.loads(job)["id"], "-o", "json").stdout)
    assert [line["type"] for line in story["lines"]] == ["job.submitted", "worker.leased", "job.succeeded"]


def test_status_answers_the_five_questions(server: Server) -> None:
    done = server.cli("status")
    assert done.returncode == 0
    for question in ("What am I doing?", "Why?", "Who asked?", "Last stable state?", "Safe alternative?"):
        assert question in done.stdout
    found = json.loads(server.cli("status", "-o", "json").stdout)
    assert found["ready"] is True
    assert found["pid"] == server.process.pid


def trace_of_job(server: Server, *arguments: str, environment: str | None = None) -> str:
    env = None if environment is None else {"TRACEPARENT": environment}
    done = run_cli("job", "submit", "add", "--input", '{"left": 1}', *arguments, data=server.data, env=env)
    assert done.returncode == 0, done.stderr
    shown = server.cli("job", "show", done.stdout.strip(), "-o", "json")
    return str(json.loads(shown.stdout)["trace"])


def test_a_job_goes_on_with_the_trace_of_the_option_or_of_the_environment(server: Server) -> None:
    given, other = (f"00-{digit * 32}-{digit * 16}-01" for digit in "ab")
    assert trace_of_job(server, environment=given) == "a" * 32
    assert trace_of_job(server, "--traceparent", other, environment=given) == "b" * 32
    # What another program has put there wrong stops nobody; what is typed wrong is said.
    assert len(trace_of_job(server, environment="nonsense")) == 32
    done = server.cli("job", "submit", "add", "--input", '{"left": 1}', "--traceparent", "nonsense")
    assert (done.returncode, "traceparent" in done.stderr) == (2, True)
