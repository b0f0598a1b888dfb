"""Debounce and throttle on the command line."""

from __future__ import annotations

import json

import pytest

from tests.support import Server

SUBMIT = ("job", "submit", "add", "--input")
ONE, TWO = '{"left": 1}', '{"left": 2, "right": 3}'


def test_a_debounced_job_takes_the_place_of_the_one_that_waits(server: Server) -> None:
    gate = ("--debounce", "page-7", "--debounce-max", "1h", "--debounce-window")
    first = server.cli(*SUBMIT, ONE, *gate, "30m").stdout.strip()
    done = server.cli(*SUBMIT, TWO, *gate, "1s", "--wait", "-o", "json")
    assert json.loads(done.stdout)["output"] == 5
    shown = server.cli("job", "show", first)
    assert f"replaced by  {json.loads(done.stdout)['id']}" in shown.stdout
    assert server.cli("journal", "verify").returncode == 0


def test_a_throttled_submission_prints_the_job_that_was_made_and_says_so(server: Server) -> None:
    gate = ("--throttle", "page-7", "--throttle-limit", "1/1h")
    first = server.cli(*SUBMIT, ONE, *gate)
    second = server.cli(*SUBMIT, TWO, *gate)
    assert second.stdout == first.stdout
    assert ("dropped by the throttle" in first.stderr, "dropped by the throttle" in second.stderr) == (
        False,
        True,
    )
    assert "which was not made" in server.cli("why", first.stdout.strip()).stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--debounce", "k"), "--debounce-window"),
        (("--debounce-window", "1s"), "--debounce"),
        (("--debounce-max", "1s"), "--debounce"),
        (("--throttle", "k"), "--throttle-limit"),
        (("--throttle-limit", "1/1s"), "--throttle"),
        (("--throttle", "k", "--throttle-limit", "often"), "not a rate"),
        (
            ("--throttle", "k", "--throttle-limit", "1/1s", "--debounce", "k", "--debounce-window", "1s"),
            "not both",
        ),
        (("--debounce", "k", "--debounce-window", "1s", "--key", "once"), "idempotency key"),
    ],
)
def test_a_misuse_is_refused(server: Server, options: tuple[str, ...], named: str) -> None:
    refused = server.cli(*SUBMIT, ONE, *options)
    assert refused.returncode == 2
    assert named in refused.stderr
