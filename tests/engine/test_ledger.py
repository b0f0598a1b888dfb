"""The ledger: accounts and transfers, double entry, nothing twice, nobody owes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, NotFound
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.ledger_requests import ListAccounts, ListTransfers
from sheratan.contracts.limits import Limits
from sheratan.engine import ledger_state
from sheratan.engine.commands import ApplyTransfers, OpenAccount
from sheratan.engine.explain import story
from sheratan.engine.ledger_views import list_accounts, list_transfers
from sheratan.engine.verify import verify
from tests.engine.booking import (
    PAYER,
    TAKER,
    apply,
    funded,
    known,
    move,
    opened,
    pending,
    post,
    record_of,
    seen,
    stands,
    tid,
    void,
)
from tests.engine.world import World


def test_the_first_account_of_a_unit_brings_that_from_which_all_of_it_comes(world: World) -> None:
    [entry] = opened(world, PAYER, scale=2)
    assert (known(world, PAYER).scale, known(world, "system:issue").scale) == (2, 2)
    assert opened(world, PAYER) == [entry]
    assert opened(world, "system:issue") == [entry - 1]
    with pytest.raises(Conflict) as refused:
        opened(world, TAKER, scale=3)
    assert refused.value.field == "scale"
    opened(world, TAKER, unit="tokens")
    assert known(world, TAKER, "tokens").scale == 0
    with pytest.raises(NotFound):
        known(world, TAKER)
    world.check()


def test_a_transfer_moves_an_amount_from_one_account_to_another(world: World) -> None:
    funded(world)
    assert seen(world, move(1, 300)) == [("applied", 300)]
    assert stands(world, PAYER) == (0, 300, 0, 1_000)
    assert stands(world, TAKER) == (0, 0, 0, 300)
    assert stands(world, "system:issue") == (0, 1_000, 0, 0)
    assert known(world, PAYER).available == 700
    world.check()


def test_nobody_gives_what_it_has_not(world: World) -> None:
    funded(world, 100)
    [refused] = apply(world, move(1, 101))
    assert (refused.result, refused.field) == ("insufficient_funds", "debit")
    assert stands(world, PAYER) == (0, 0, 0, 100)
    assert seen(world, pending(2, 60), pending(3, 41), move(4, 40)) == [
        ("applied", 60), ("insufficient_funds", "debit"), ("applied", 40),
    ]  # fmt: skip
    assert known(world, PAYER).available == 0
    assert seen(world, move(5, 1, "system:issue", TAKER)) == [("applied", 1)]
    world.check()


def test_an_id_that_stands_twice_in_a_chain_fails_it_and_exists_nowhere(world: World) -> None:
    funded(world)
    chain = move(1, 5, linked=True), move(2, 5, linked=True), move(1, 5, linked=True), move(3, 5)
    told = [("chain_failed", None), ("chain_failed", None), ("id_reused", "id"), ("chain_failed", None)]
    assert seen(world, *chain) == told
    assert stands(world, PAYER) == (0, 0, 0, 1_000)
    assert seen(world, move(1, 5)) == [("applied", 5)]
    assert seen(world, *chain) == [("exists", 5), *[("chain_failed", None)] * 3]
    world.check()


def test_the_same_transfer_is_applied_once_and_another_one_under_its_id_is_refused_by_field(
    world: World,
) -> None:
    funded(world)
    [first] = apply(world, move(1, 5))
    [again] = apply(world, move(1, 5))
    assert (again.result, again.amount, again.entry) == ("exists", 5, first.entry)
    head = world.store.shard().head
    assert seen(world, move(1, 5)) == [("exists", 5)]
    assert world.store.shard().head == head
    [other] = apply(world, move(1, 6))
    assert (other.result, other.entry) == ("id_reused", head.seq)
    opened(world, "worker:w")
    opened(world, PAYER, TAKER, unit="tokens")
    others = {
        "amount": move(1, 6),
        "debit": move(1, 5, "worker:w"),
        "credit": move(1, 5, PAYER, "worker:w"),
        "unit": move(1, 5, unit="tokens"),
        "phase": pending(1, 5),
        "balancing": move(1, 5, balancing="debit"),
    }
    for field, other in others.items():
        assert seen(world, other) == [("id_reused", field)]
    apply(world, pending(2, 5, timeout_seconds=9), pending(3, 5))
    assert seen(world, pending(2, 5, timeout_seconds=8)) == [("id_reused", "timeout_us")]
    assert seen(world, pending(3, 5, closes="debit")) == [("id_reused", "closes")]
    assert seen(world, post(4, 3, 2)) == [("applied", 2)]
    assert seen(world, post(4, 2, 2)) == [("id_reused", "pending")]
    assert seen(world, post(4, 3)) == [("id_reused", "amount")]
    assert seen(world, post(4, 3, 2), void(4, 3)) == [("exists", 2), ("id_reused", "phase")]
    assert stands(world, PAYER) == (5, 7, 0, 1_000)
    world.check()


def test_an_id_counts_at_once_within_its_request_and_within_its_batch(world: World) -> None:
    funded(world)
    assert seen(world, move(1, 5), move(1, 5), move(1, 6)) == [
        ("applied", 5), ("exists", 5), ("id_reused", "amount"),
    ]  # fmt: skip
    assert stands(world, TAKER) == (0, 0, 0, 5)
    world.check()


def test_what_is_posted_in_its_request_is_of_those_that_the_applied_one_of_an_id_names(world: World) -> None:
    funded(world)
    opened(world, "worker:w")
    assert seen(world, pending(1, 9_999), pending(1, 5, PAYER, "worker:w"), pending(1, 5), post(2, 1)) == [
        ("insufficient_funds", "debit"), ("applied", 5), ("id_reused", "credit"), ("applied", 5),
    ]  # fmt: skip
    assert record_of(world, 2).credit == "worker:w"
    assert stands(world, "worker:w") == (0, 0, 0, 5)
    world.check()


def test_what_is_reserved_is_posted_in_part_or_given_back_once(world: World) -> None:
    funded(world)
    assert seen(world, pending(1, 400), pending(2, 100), pending(3, 50)) == [
        ("applied", 400), ("applied", 100), ("applied", 50),
    ]  # fmt: skip
    assert stands(world, PAYER) == (550, 0, 0, 1_000)
    assert stands(world, TAKER) == (0, 0, 550, 0)
    assert seen(world, post(4, 1, 401), post(5, 1, 150), void(6, 2), post(7, 3)) == [
        ("exceeds_pending", "amount"), ("applied", 150), ("applied", 0), ("applied", 50),
    ]  # fmt: skip
    assert stands(world, PAYER) == (0, 200, 0, 1_000)
    assert stands(world, TAKER) == (0, 0, 0, 200)
    late = [post(8, 1), void(9, 1), post(10, 2), void(11, 2), post(12, 99), post(13, 5)]
    assert seen(world, *late) == [
        ("pending_posted", "pending"), ("pending_posted", "pending"), ("pending_voided", "pending"),
        ("pending_voided", "pending"), ("pending_not_found", "pending"), ("pending_not_found", "pending"),
    ]  # fmt: skip
    assert [(record_of(world, n).state, record_of(world, n).posted) for n in (1, 2, 3)] == [
        ("posted", 150), ("voided", 0), ("posted", 50),
    ]  # fmt: skip
    assert stands(world, PAYER) == (0, 200, 0, 1_000)
    world.check()


def test_nothing_may_be_posted_of_what_is_reserved(world: World) -> None:
    funded(world)
    assert seen(world, pending(1, 400), post(2, 1, 0)) == [("applied", 400), ("applied", 0)]
    assert stands(world, PAYER) == (0, 0, 0, 1_000)
    assert record_of(world, 1).state == "posted"
    world.check()


def test_a_reservation_ends_by_itself_in_time_and_in_order(world: World) -> None:
    funded(world)
    apply(world, pending(1, 500, timeout_seconds=10), pending(2, 300, timeout_seconds=5), pending(3, 100))
    world.tick(4.9)
    assert stands(world, PAYER)[0] == 900
    world.tick(0.1)
    assert stands(world, PAYER)[0] == 600
    assert record_of(world, 2).state == "expired"
    assert seen(world, post(4, 2), void(5, 2)) == [("pending_expired", "pending")] * 2
    world.tick(3_600)
    assert stands(world, PAYER) == (100, 0, 0, 1_000)
    assert [record_of(world, n).state for n in (1, 3)] == ["expired", "pending"]
    assert world.decider.next_wake_us() is None
    world.check()


def test_what_expires_is_free_for_what_is_asked_for_in_the_same_batch(world: World) -> None:
    funded(world)
    apply(world, pending(1, 1_000, timeout_seconds=5))
    world.clock.advance(5_000_000)
    assert seen(world, post(2, 1), move(3, 1_000)) == [("pending_expired", "pending"), ("applied", 1_000)]
    world.check()


def test_many_reservations_expire_over_several_batches(world: World) -> None:
    funded(world)
    for start in range(1, 301, 100):
        apply(world, *(pending(n, 1, timeout_seconds=1 + n % 3) for n in range(start, start + 100)))
    world.tick(10)
    assert stands(world, PAYER) == (0, 0, 0, 1_000)
    assert sum(entry.type == "ledger.expired" for entry in world.entries()) >= 3
    world.check()


def test_a_chain_is_applied_as_a_whole_or_not_at_all(world: World) -> None:
    funded(world)
    good = [move(1, 600, linked=True), pending(2, 100, linked=True), post(3, 2, 50)]
    assert seen(world, *good) == [("applied", 600), ("applied", 100), ("applied", 50)]
    assert seen(world, *good) == [("exists", 600), ("exists", 100), ("exists", 50)]
    bad = [move(4, 300, linked=True), move(5, 300, linked=True), move(6, 1), move(7, 2)]
    assert seen(world, *bad) == [
        ("chain_failed", None), ("insufficient_funds", "debit"), ("chain_failed", None), ("applied", 2),
    ]  # fmt: skip
    assert stands(world, PAYER) == (0, 652, 0, 1_000)
    half = [move(1, 600, linked=True), move(8, 1)]
    assert seen(world, *half) == [("exists", 600), ("chain_failed", None)]
    open_end = [move(9, 1), move(10, 1, linked=True), move(11, 1, linked=True)]
    assert seen(world, *open_end) == [("applied", 1), ("chain_failed", None), ("chain_open", "linked")]
    # What a chain that failed had begun may come again, also in its own request.
    assert seen(world, move(12, 3, linked=True), move(13, 999), move(12, 2)) == [
        ("chain_failed", None), ("insufficient_funds", "debit"), ("applied", 2),
    ]  # fmt: skip
    assert seen(world, move(4, 300)) == [("applied", 300)]
    assert stands(world, PAYER) == (0, 955, 0, 1_000)
    world.check()


def test_a_chain_that_fails_reserves_and_resolves_nothing(world: World) -> None:
    funded(world)
    apply(world, pending(1, 100))
    opened(world, "worker:w")
    closing = pending(3, 5, PAYER, "worker:w", closes="credit", linked=True)
    chain = [void(2, 1, linked=True), closing, move(4, 9_999)]
    assert seen(world, *chain) == [
        ("chain_failed", None),
        ("chain_failed", None),
        ("insufficient_funds", "debit"),
    ]
    assert seen(world, post(5, 1), post(6, 3), move(7, 1)) == [
        ("applied", 100), ("pending_not_found", "pending"), ("applied", 1),
    ]  # fmt: skip
    world.check()


def test_balancing_moves_what_one_side_can_give(world: World) -> None:
    funded(world)
    opened(world, "worker:w")
    apply(world, move(1, 900), pending(2, 40))
    assert seen(world, move(3, 500, balancing="debit")) == [("applied", 60)]
    assert (record_of(world, 3).amount, record_of(world, 3).asked) == (60, 500)
    assert seen(world, move(3, 500, balancing="debit")) == [("exists", 60)]
    assert seen(world, move(4, 500, balancing="debit")) == [("insufficient_funds", "debit")]
    opened(world, "system:other")
    apply(world, move(5, 30, "system:other", TAKER))
    back = move(6, 500, TAKER, "system:other", balancing="credit")
    assert seen(world, back, back) == [("applied", 30), ("exists", 30)]
    assert seen(world, move(7, 500, TAKER, "system:other", balancing="credit")) == [
        ("insufficient_funds", "debit")
    ]
    assert seen(world, move(10, 5, TAKER, "worker:w", balancing="credit")) == [
        ("insufficient_funds", "debit")
    ]
    world.check()


def test_a_closed_account_takes_nothing_but_the_void_that_opens_it(world: World) -> None:
    funded(world)
    apply(world, pending(1, 10), pending(2, 20))
    assert seen(world, pending(3, 0, closes="debit")) == [("applied", 0)]
    assert known(world, PAYER).is_closed
    tried = [
        move(4, 1),
        move(5, 1, "system:issue", PAYER),
        post(6, 1),
        void(7, 2),
        pending(8, 1),
        post(9, 3, 0),
    ]
    fields = ["debit", "credit", "debit", "debit", "debit", "debit"]
    assert seen(world, *tried) == [("account_closed", field) for field in fields]
    assert seen(world, void(10, 3), post(11, 1), void(12, 2)) == [
        ("applied", 0),
        ("applied", 10),
        ("applied", 0),
    ]
    assert not known(world, PAYER).is_closed
    assert seen(world, pending(13, 5, closes="credit", timeout_seconds=1), move(14, 1)) == [
        ("applied", 5), ("account_closed", "credit"),
    ]  # fmt: skip
    world.tick(1)
    assert seen(world, move(15, 1)) == [("applied", 1)]
    world.check()


def test_a_reservation_of_a_closed_account_expires_all_the_same(world: World) -> None:
    funded(world)
    apply(world, pending(1, 10, timeout_seconds=1), pending(2, 0, closes="debit"))
    world.tick(1)
    assert record_of(world, 1).state == "expired"
    assert known(world, PAYER).is_closed
    world.check()


def test_no_balance_grows_beyond_what_json_can_hold(world: World) -> None:
    opened(world, PAYER, TAKER)
    assert seen(world, move(1, AMOUNT_MAX, "system:issue", PAYER)) == [("applied", AMOUNT_MAX)]
    assert seen(world, move(2, 1, "system:issue", TAKER)) == [("balance_too_large", "debit")]
    opened(world, "system:other")
    assert seen(world, move(3, 1, "system:other", PAYER)) == [("balance_too_large", "credit")]
    assert seen(world, pending(4, 1, "system:other", PAYER)) == [("balance_too_large", "credit")]
    assert seen(world, move(5, AMOUNT_MAX)) == [("applied", AMOUNT_MAX)]
    world.check()


def test_what_does_not_exist_is_named(world: World) -> None:
    funded(world)
    assert seen(world, move(1, 1, "tenant:none")) == [("account_not_found", "debit")]
    assert seen(world, move(2, 1, PAYER, "tenant:none")) == [("account_not_found", "credit")]
    assert seen(world, move(3, 1, unit="tokens")) == [("account_not_found", "debit")]
    world.check()


OF_RESOLUTIONS: dict[str, object] = {
    "pending": tid(1),
    "debit": None,
    "credit": None,
    "unit": None,
    "amount": None,
}
FAULTY: list[tuple[dict[str, object], str]] = [
    ({"debit": None}, "debit"), ({"credit": None}, "credit"), ({"unit": None}, "unit"), ({"amount": None}, "amount"),
    ({"amount": 0}, "amount"), ({"credit": PAYER}, "credit"), ({"timeout_seconds": 1}, "timeout_seconds"),
    ({"closes": "debit"}, "closes"), ({"pending": tid(1)}, "pending"), ({"phase": "pending", "amount": 0}, "amount"),
    ({"phase": "pending", "timeout_seconds": 34_560_001}, "timeout_seconds"),
    ({"phase": "post"}, "pending"), ({"phase": "post", "pending": tid(1)}, "debit"),
    ({**OF_RESOLUTIONS, "phase": "void", "amount": 1}, "amount"),
    ({**OF_RESOLUTIONS, "phase": "post", "credit": TAKER}, "credit"),
    ({**OF_RESOLUTIONS, "phase": "post", "unit": "credits"}, "unit"),
    ({**OF_RESOLUTIONS, "phase": "post", "closes": "debit"}, "closes"),
    ({**OF_RESOLUTIONS, "phase": "post", "balancing": "debit"}, "balancing"),
    ({**OF_RESOLUTIONS, "phase": "void", "timeout_seconds": 1}, "timeout_seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "field"), FAULTY)
def test_a_transfer_says_what_its_phase_needs_and_no_more(
    world: World, changes: dict[str, object], field: str
) -> None:
    funded(world)
    with pytest.raises(InvalidInput) as refused:
        apply(world, move(2, 1), replace(move(1, 1), **changes))
    assert refused.value.field == f"transfers[1].{field}"
    assert stands(world, PAYER) == (0, 0, 0, 1_000)


def test_a_request_and_the_ledger_are_bounded() -> None:
    world = World(limits=Limits(transfers_max=2, accounts_max=3))
    funded(world)
    with pytest.raises(InvalidInput) as refused:
        apply(world, move(1, 1), move(2, 1), move(3, 1))
    assert (refused.value.code, refused.value.field) == ("too_large", "transfers")
    with pytest.raises(LimitReached) as full:
        opened(world, "worker:w")
    assert full.value.field == "account"
    with pytest.raises(LimitReached):
        opened(world, PAYER, unit="tokens")
    assert opened(world, PAYER)
    world.check()


def test_a_reason_is_told_and_holds_no_secret(world: World) -> None:
    funded(world)
    apply(world, move(1, 5), reason="for the month")
    assert "for the month" in story(world.store, tid(1)).lines[0].text
    secret = "ghp_" + "a1B2" * 9
    with pytest.raises(InvalidInput):
        apply(world, move(2, 5), reason=secret)
    with pytest.raises(InvalidInput):
        world.ask(OpenAccount(account="worker:w", unit="credits", scale=None, reason=secret))


def test_refusals_are_recorded_with_their_decision(world: World) -> None:
    funded(world, 10)
    [refused] = apply(world, move(1, 11))
    entry = world.entries()[-1]
    assert (entry.seq, entry.type, entry.data) == (refused.entry, "ledger.refused", {})
    assert entry.decision is not None
    assert "tenant:acme in credits has 10 to give, and 11 was asked for" in entry.decision["because"]
    told = story(world.store, f"entry:{refused.entry}")
    assert told.state == "an entry of type ledger.refused about ledger"
    [line] = told.lines
    assert "tenant:acme in credits has 10 to give, and 11 was asked for" in line.text
    world.check()


@pytest.mark.parametrize("number", ["", "-1", "x", "1.0", "\u0663", "1000000"])
def test_an_entry_that_is_not_there_has_no_story(world: World, number: str) -> None:
    with pytest.raises(NotFound, match="the journal has those from 0 to "):
        story(world.store, f"entry:{number}")


def test_every_entry_can_be_told_by_its_number(world: World) -> None:
    funded(world)
    apply(world, pending(1, 100, timeout_seconds=60), move(2, 1, TAKER, PAYER))
    for entry in world.entries():
        [line] = story(world.store, f"entry:{entry.seq}").lines
        assert (line.entry, line.type) == (entry.seq, entry.type)


def test_stories_of_transfers_and_accounts(world: World) -> None:
    funded(world)
    apply(world, pending(1, 100, timeout_seconds=60), move(2, 1, TAKER, PAYER))
    apply(world, post(3, 1, 30))
    told = story(world.store, tid(1))
    assert told.state == "posted"
    assert [line.type for line in told.lines] == ["ledger.transferred", "ledger.transferred"]
    assert (
        "reserves 100 minor units of credits from tenant:acme to operator for 60.000 s" in told.lines[0].text
    )
    assert (
        f"moves 30 minor units of credits from tenant:acme to operator, of what {tid(1)} reserved"
        in told.lines[1].text
    )
    account = story(world.store, "account:tenant:acme/credits")
    assert account.state == "open"
    assert [line.type for line in account.lines] == ["ledger.account_opened", *["ledger.transferred"] * 3]
    apply(world, pending(4, 0, closes="debit"))
    assert story(world.store, "account:tenant:acme/credits").state == "closed"
    for unknown in ("transfer_1", tid(77), "account:tenant:acme", "account:tenant:none/credits"):
        with pytest.raises(NotFound):
            story(world.store, unknown)


def test_accounts_and_transfers_are_listed_page_by_page(world: World) -> None:
    funded(world)
    opened(world, PAYER, unit="tokens")
    apply(world, move(1, 1), move(2, 2), pending(3, 3), move(4, 4, "system:issue", TAKER))
    limits = world.limits
    first = list_accounts(world.store, "default", ListAccounts(limit=2), limits)
    assert [one.account for one in first.items] == ["system:issue", PAYER]
    rest = list_accounts(world.store, "default", ListAccounts(limit=3, cursor=first.next_cursor), limits)
    assert [one.unit for one in rest.items] == ["credits", "tokens", "tokens"]
    assert rest.next_cursor is None
    assert len(list_accounts(world.store, "default", ListAccounts(unit="tokens"), limits).items) == 2
    assert list_accounts(world.store, "other", ListAccounts(), limits).items == []
    page = list_transfers(
        world.store, "default", ListTransfers(account=PAYER, unit="credits", limit=2), limits
    )
    assert [one.id for one in page.items] == [tid(0), tid(1)]
    request = ListTransfers(account=PAYER, unit="credits", cursor=page.next_cursor)
    page = list_transfers(world.store, "default", request, limits)
    assert ([one.id for one in page.items], page.next_cursor) == ([tid(2), tid(3)], None)
    assert len(list_transfers(world.store, "default", ListTransfers(), limits).items) == 5
    with pytest.raises(InvalidInput):
        list_transfers(world.store, "default", ListTransfers(account=PAYER), limits)
    with pytest.raises(NotFound):
        list_transfers(world.store, "default", ListTransfers(account="worker:w", unit="credits"), limits)
    with pytest.raises(InvalidInput):
        list_transfers(world.store, "default", ListTransfers(limit=10_000), limits)
    with pytest.raises(InvalidInput):
        list_accounts(world.store, "default", ListAccounts(limit=10_000), limits)


def test_all_of_it_outlives_a_crash_and_what_was_not_committed_never_was(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    funded(world)
    apply(world, pending(1, 100, timeout_seconds=60), pending(2, 100))
    world.crash()
    assert stands(world, PAYER) == (200, 0, 0, 1_000)
    assert seen(world, post(3, 2, 50), pending(1, 100, timeout_seconds=60)) == [
        ("applied", 50),
        ("exists", 100),
    ]
    world.fill_disk()
    world.free_disk()
    world.tick(60)
    assert stands(world, PAYER) == (0, 50, 0, 1_000)
    world.check()


def test_hot_accounts_are_in_memory_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_state, "_ACCOUNTS_MAX", 3)
    world = World()
    funded(world)
    workers = [f"worker:w{number}" for number in range(6)]
    opened(world, *workers)
    assert len(world.state.ledger.accounts) == 3
    assert (
        seen(world, *(move(1 + number, 1, PAYER, name) for number, name in enumerate(workers)))
        == [("applied", 1)] * 6
    )
    # What a batch has changed stays until it is committed, however much that is.
    assert len(world.state.ledger.accounts) >= 7
    apply(world, move(50, 1))
    assert len(world.state.ledger.accounts) == 3
    assert stands(world, PAYER) == (0, 7, 0, 1_000)
    world.check()


def test_a_reservation_that_should_have_expired_is_found() -> None:
    world = World()
    funded(world)
    apply(world, pending(1, 100, timeout_seconds=1))
    world.state.ledger.next_expiry_us = None
    for _ in range(3):
        world.clock.advance(60_000_000)
        world.submit()
    assert [one.invariant for one in verify(world.store).problems] == ["L9"]


def test_requests_of_one_batch_see_what_those_before_them_have_done(world: World) -> None:
    funded(world)
    requests = [
        ApplyTransfers(transfers=transfers, reason="")
        for transfers in (
            (pending(1, 900),),
            (pending(1, 900), move(2, 101)),
            (post(3, 1, 300),),
            (void(4, 1),),
            (move(2, 101),),
        )
    ]
    answers = [[one.result for one in answer.value] for answer in world.batch(*requests)]
    assert answers == [
        ["applied"],
        ["exists", "insufficient_funds"],
        ["applied"],
        ["pending_posted"],
        ["applied"],
    ]
    assert stands(world, PAYER) == (0, 401, 0, 1_000)
    world.check()
