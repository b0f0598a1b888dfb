"""The ledger on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from sheratan.contracts.ledger import transfer_id
from tests.cli.conftest import KINDS
from tests.support import Server, running_server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("ledger") / "data", [KINDS]) as running:
        for account in ("tenant:acme", "operator"):
            assert running.cli("ledger", "open", account, "--unit", "EUR", "--scale", "2").returncode == 0
        granted = running.cli("ledger", "grant", "tenant:acme", "100", "--unit", "EUR", "--name", "top-up")
        assert granted.stdout.startswith(f"{transfer_id('top-up')}: applied, 100.00 (entry ")
        yield running


def available(own: Server) -> int:
    shown = own.cli("ledger", "show", "tenant:acme", "--unit", "EUR", "-o", "json")
    found: int = json.loads(shown.stdout)["available"]
    return found


def move(own: Server, *arguments: str) -> dict[str, Any]:
    done = own.cli("ledger", "transfer", "tenant:acme", "operator", *arguments, "--unit", "EUR", "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_is_granted_twice_by_one_name_is_granted_once(own: Server) -> None:
    before = available(own)
    again = own.cli("ledger", "grant", "tenant:acme", "100", "--unit", "EUR", "--name", "top-up")
    assert ": exists, 100.00 (entry " in again.stdout
    assert available(own) == before


def test_amounts_are_read_and_shown_with_their_decimal_point(own: Server) -> None:
    before = available(own)
    assert move(own, "1.5")["amount"] == 150
    assert available(own) == before - 150
    listed = own.cli("ledger", "accounts", "--unit", "EUR").stdout
    assert re.search(r"operator +EUR +[0-9]+\.[0-9]{2} ", listed)
    for amount in ("1.005", "1e3", "-1", "\u0661", "9" * 20):
        refused = own.cli("ledger", "transfer", "operator", "tenant:acme", "--unit", "EUR", "--", amount)
        assert (refused.returncode, "amount" in refused.stderr) == (2, True), amount
    nothing = own.cli("ledger", "grant", "tenant:acme", "0", "--unit", "EUR")
    assert (nothing.returncode, "transfers[0]" in nothing.stderr, "amount" in nothing.stderr) == (
        2,
        False,
        True,
    )
    assert available(own) == before - 150


def test_a_reservation_is_posted_in_part_or_given_back(own: Server) -> None:
    before = available(own)
    reserved = move(own, "10", "--pending", "--timeout", "1h", "--reason", "a long call")
    assert available(own) == before - 1_000
    posted = own.cli("ledger", "post", reserved["id"], "2.50")
    assert ": applied, 2.50 (entry " in posted.stdout
    assert available(own) == before - 250
    late = own.cli("ledger", "void", reserved["id"])
    assert (late.returncode, ": pending posted (pending) (entry " in late.stdout) == (5, True)
    other = move(own, "10", "--pending")
    assert own.cli("ledger", "void", other["id"]).returncode == 0
    assert available(own) == before - 250
    shown = own.cli("ledger", "show", reserved["id"]).stdout
    assert re.search(r"state +posted \(entry", shown)
    assert re.search(r"posted +2\.50", shown)
    assert "a long call" in own.cli("why", reserved["id"]).stdout


def test_a_transfer_is_refunded_in_part_and_then_the_rest(own: Server) -> None:
    before = available(own)
    paid = move(own, "10")["id"]
    wrong = own.cli("ledger", "refund", paid, "--amount", "1.005", "--reason", "late")
    assert (wrong.returncode, "amount" in wrong.stderr) == (2, True)
    part = own.cli("ledger", "refund", paid, "--amount", "2.50", "--reason", "late", "--name", "case-1")
    assert part.stdout.startswith(f"{transfer_id('case-1')}: applied, 2.50 (entry ")
    again = own.cli("ledger", "refund", paid, "--amount", "2.50", "--reason", "late", "--name", "case-1")
    assert ": exists, 2.50 (entry " in again.stdout
    assert available(own) == before - 750
    assert ": applied, 7.50 (entry " in own.cli("ledger", "refund", paid, "--reason", "all of it").stdout
    assert available(own) == before
    more = own.cli("ledger", "refund", paid, "--reason", "once more")
    assert (more.returncode, ": exceeds original (amount) (entry " in more.stdout) == (5, True)
    assert re.search(r"corrected +10\.00", own.cli("ledger", "show", paid).stdout)
    assert re.search(f"corrects +{paid}", own.cli("ledger", "show", transfer_id("case-1")).stdout)
    assert "all of it" in own.cli("why", paid).stdout


def test_a_refund_names_a_transfer_or_a_job_and_a_reason(own: Server) -> None:
    for arguments in (
        (),
        ("transfer_" + "0" * 32, "--job", "job_1"),
        ("--job", "job_1", "--id", "transfer_" + "0" * 32),
    ):
        assert own.cli("ledger", "refund", *arguments, "--reason", "late").returncode == 2
    assert own.cli("ledger", "refund", "transfer_" + "0" * 32).returncode == 2
    assert own.cli("ledger", "refund", "transfer_" + "0" * 32, "--reason", "late").returncode == 3
    assert own.cli("ledger", "refund", "--job", "job_1", "--reason", "late").returncode in (2, 3)


def test_what_a_job_was_charged_is_refunded_by_its_id(own: Server) -> None:
    own.cli("ledger", "open", "tenant:default", "--unit", "EUR")
    own.cli("ledger", "grant", "tenant:default", "5", "--unit", "EUR", "--name", "for jobs")
    assert own.cli("price", "set", "add", "1.50", "--unit", "EUR").returncode == 0
    job = own.cli("job", "submit", "add", "--input", '{"left": 1, "right": 2}').stdout.strip()
    assert own.cli("job", "watch", job).returncode == 0
    assert own.cli("price", "remove", "add").returncode == 0
    refunded = own.cli("ledger", "refund", "--job", job, "--amount", "0.50", "--reason", "it was late")
    assert ": applied, 0.50 (entry " in refunded.stdout
    assert re.search(r" 1\.50 +1\.50 +0\.50 +EUR +transfer_ffffffff", own.cli("job", "charges", job).stdout)
    assert "it was late" in own.cli("why", job).stdout
    more = own.cli("ledger", "refund", "--job", job, "--amount", "1.01", "--reason", "too much", "-o", "json")
    assert (more.returncode, json.loads(more.stdout)[0]["result"]) == (5, "exceeds_original")
    assert own.cli("ledger", "check").returncode == 0


def test_a_job_has_a_budget_that_is_shown_and_edited(own: Server) -> None:
    job = own.cli("job", "submit", "fail", "--budget", "2.50", "EUR", "--wait", "-o", "json")
    number = json.loads(job.stdout)["id"]
    shown = own.cli("job", "show", number).stdout
    assert "2.50 EUR, of which 0.00 are charged and 0.00 reserved" in shown
    assert "All of its attempts may cost 250 minor units of EUR." in own.cli("why", number).stdout
    edited = own.cli("dlq", "edit", number, "--budget", "0.75", "EUR")
    assert "0.75 EUR, of which" in own.cli("job", "show", edited.stdout.strip()).stdout
    for wrong in (("1", "nothing"), ("1.001", "EUR"), ("x", "EUR")):
        assert own.cli("job", "submit", "fail", "--budget", *wrong).returncode in (2, 3)
    own.cli("ledger", "open", "tenant:default", "--unit", "EUR")
    assert own.cli("price", "set", "fail", "2.51", "--unit", "EUR").returncode == 0
    refused = own.cli("job", "submit", "fail", "--budget", "2.50", "EUR")
    assert (refused.returncode, "may cost 2.51 EUR, and the budget is 2.50" in refused.stderr) == (2, True)
    assert own.cli("price", "remove", "fail").returncode == 0


def test_what_bounds_nothing_and_what_nobody_offers_is_noted(own: Server) -> None:
    unpriced = own.cli("budget", "set", "kind:ad", "1", "--unit", "EUR")
    assert (unpriced.returncode, "note: ad has no price in EUR" in unpriced.stderr) == (0, True)
    mistyped = own.cli("price", "set", "ad", "1", "--unit", "EUR")
    assert (mistyped.returncode, "note: no worker has offered ad since" in mistyped.stderr) == (0, True)
    assert "note:" not in own.cli("budget", "set", "kind:ad", "2", "--unit", "EUR").stderr
    own.cli("ledger", "open", "tenant:default", "--unit", "tokens")
    nothing = own.cli("budget", "set", "tenant:default", "1", "--unit", "tokens")
    assert "note: no kind has a price in tokens" in nothing.stderr
    for undo in (
        ("price", "remove", "ad"),
        ("budget", "remove", "kind:ad", "--unit", "EUR"),
        ("budget", "remove", "tenant:default", "--unit", "tokens"),
    ):
        assert own.cli(*undo).returncode == 0


def test_a_refusal_is_told_with_its_exit_code(own: Server) -> None:
    poor = own.cli("ledger", "transfer", "tenant:acme", "operator", "100000", "--unit", "EUR")
    assert (poor.returncode, ": insufficient funds (debit) (entry " in poor.stdout) == (5, True)
    assert re.search(r"tenant:acme in EUR has [0-9]+ to give, and 10000000 was asked for", poor.stderr)
    entry = re.findall(r"entry ([0-9]+)", poor.stdout)[0]
    assert "ledger.refused about ledger" in own.cli("why", f"entry:{entry}").stdout
    assert own.cli("ledger", "grant", "tenant:none", "1", "--unit", "EUR").returncode == 3
    assert own.cli("ledger", "show", "tenant:acme").returncode == 2
    assert (
        own.cli("ledger", "grant", "tenant:acme", "1", "--unit", "EUR", "--id", "x", "--name", "y").returncode
        == 2
    )
    assert own.cli("ledger", "open", "acme", "--unit", "EUR").returncode == 2


def test_an_account_is_closed_and_opened_again(own: Server) -> None:
    closing = own.cli(
        "ledger", "transfer", "operator", "tenant:acme", "0", "--unit", "EUR", "--pending", "--closes", "debit",
        "-o", "json",
    )  # fmt: skip
    closes = json.loads(closing.stdout)["id"]
    assert re.search(r"state +closed", own.cli("ledger", "show", "operator", "--unit", "EUR").stdout)
    refused = own.cli("ledger", "transfer", "tenant:acme", "operator", "1", "--unit", "EUR")
    assert "account closed (credit)" in refused.stdout
    assert own.cli("ledger", "void", closes).returncode == 0


def test_all_is_listed_exported_checked_and_told(own: Server) -> None:
    first = own.cli("ledger", "transfers", "--limit", "1", "-o", "json")
    page = json.loads(first.stdout)
    assert [one["id"] for one in page["items"]] == [transfer_id("top-up")]
    rest = own.cli(
        "ledger", "transfers", "tenant:acme", "--unit", "EUR", "--cursor", page["next_cursor"], "-o", "json"
    )
    exported = [json.loads(line) for line in own.cli("ledger", "export").stdout.splitlines()]
    assert exported[0] == page["items"][0]
    of_acme = [one for one in exported if "tenant:acme" in (one["debit"], one["credit"])]
    assert json.loads(rest.stdout)["items"] == of_acme[1:]
    assert own.cli("ledger", "check").stdout == "all adds up\n"
    assert own.cli("ledger", "check", "-o", "json").stdout.strip() == "[]"
    assert "opened the account tenant:acme in EUR" in own.cli("why", "account:tenant:acme/EUR").stdout
    assert "transfers add up" in own.cli("doctor").stdout
    assert own.cli("journal", "verify").returncode == 0


def test_what_does_not_add_up_is_told_and_fails_the_check(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", [KINDS]) as server:
        server.cli("ledger", "open", "operator", "--unit", "EUR")
        server.cli("ledger", "grant", "operator", "5", "--unit", "EUR")
    apsw.Connection(str(tmp_path / "data" / "sheratan.db")).execute(
        "UPDATE ledger_balance SET credits_posted = 7 WHERE number = 2"
    )
    checked = server.cli("ledger", "check")
    assert checked.returncode == 1
    assert "its balance says 0 and 7; its transfers say 0 and 5" in checked.stdout
    assert "debited 5" in checked.stdout
    assert "do not add up" in server.cli("doctor").stdout
    assert server.cli("journal", "verify").returncode == 1


def test_who_asks_for_a_unit_that_nobody_has_is_told_how_to_get_it(own: Server) -> None:
    for command in (("price", "set", "add", "1"), ("budget", "set", "kind:add", "1")):
        refused = own.cli(*command, "--unit", "USD")
        assert refused.returncode == 3
        said = "unit: there is no account in USD; `sheratan ledger open ACCOUNT --unit USD` opens one"
        assert said in refused.stderr
