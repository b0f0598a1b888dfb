"""Corrections: a transfer is undone by new ones, the other way, and by all of them never more than it has moved."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.ledger_requests import ListTransfers
from sheratan.engine.commands import ApplyTransfers
from sheratan.engine.explain import story
from sheratan.engine.ledger_views import list_transfers
from tests.engine.booking import (
    PAYER,
    TAKER,
    apply,
    correction,
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


@pytest.fixture
def paid(world: World) -> World:
    """The payer has moved 300 by transfer 1."""
    funded(world)
    assert seen(world, move(1, 300)) == [("applied", 300)]
    return world


def test_a_correction_moves_back_what_a_transfer_has_moved(paid: World) -> None:
    assert seen(paid, correction(2, 1, 100)) == [("applied", 100)]
    assert (known(paid, PAYER).available, known(paid, TAKER).available) == (800, 200)
    assert stands(paid, TAKER) == (0, 100, 0, 300)
    found = record_of(paid, 2)
    assert (found.debit, found.credit, found.corrects, found.corrected) == (TAKER, PAYER, tid(1), 0)
    assert (record_of(paid, 1).amount, record_of(paid, 1).corrected) == (300, 100)
    paid.check()


def test_without_an_amount_all_goes_back_that_is_left(paid: World) -> None:
    assert seen(paid, correction(2, 1, 100), correction(3, 1)) == [("applied", 100), ("applied", 200)]
    assert known(paid, PAYER).available == 1_000
    assert (record_of(paid, 3).amount, record_of(paid, 3).asked) == (200, None)
    assert seen(paid, correction(4, 1), correction(5, 1, 1)) == [("exceeds_original", "amount")] * 2
    paid.check()


def test_all_corrections_of_a_transfer_are_no_more_than_it_has_moved(paid: World) -> None:
    assert seen(paid, move(9, 500), correction(2, 1, 301)) == [
        ("applied", 500), ("exceeds_original", "amount"),
    ]  # fmt: skip
    assert seen(paid, correction(3, 1, 200), correction(4, 1, 101)) == [
        ("applied", 200), ("exceeds_original", "amount"),
    ]  # fmt: skip
    paid.crash()
    assert seen(paid, correction(5, 1, 101)) == [("exceeds_original", "amount")]
    assert seen(paid, correction(6, 1, 100)) == [("applied", 100)]
    paid.check()


def test_corrections_of_one_batch_count_together(paid: World) -> None:
    requests = [ApplyTransfers(transfers=(correction(number, 1, 200),), reason="") for number in (2, 3)]
    answers = [[one.result for one in answer.value] for answer in paid.batch(*requests)]
    assert answers == [["applied"], ["exceeds_original"]]
    assert record_of(paid, 1).corrected == 200
    paid.check()


def test_what_was_moved_earlier_in_a_batch_can_be_corrected_in_it(paid: World) -> None:
    requests = [
        ApplyTransfers(transfers=(one,), reason="") for one in (move(2, 50), correction(3, 2), move(4, 1))
    ]
    answers = [[one.result for one in answer.value] for answer in paid.batch(*requests)]
    assert answers == [["applied"]] * 3
    assert record_of(paid, 2).corrected == 50
    paid.check()


def test_a_correction_that_is_asked_for_again_is_found(paid: World) -> None:
    [first] = apply(paid, correction(2, 1))
    [again] = apply(paid, correction(2, 1))
    assert (first.result, again.result, again.amount, again.entry) == ("applied", "exists", 300, first.entry)
    assert seen(paid, correction(2, 1, 300)) == [("id_reused", "amount")]
    assert seen(paid, move(3, 5), correction(2, 3)) == [("applied", 5), ("id_reused", "corrects")]
    assert seen(paid, move(2, 300)) == [("id_reused", "debit")]
    paid.check()


def test_only_what_has_moved_something_can_be_corrected(paid: World) -> None:
    opened(paid, "worker:w")
    apply(paid, pending(2, 50), pending(3, 50), correction(4, 1, 10))
    apply(paid, post(5, 2, 40), void(6, 3), post(7, 99), pending(8, 5))
    apply(paid, post(9, 8, 0))
    not_found = ("original_not_found", "corrects")
    wrong = [correction(20 + of, of) for of in (2, 3, 4, 6, 7, 9, 77)]
    assert seen(paid, *wrong) == [not_found] * len(wrong)
    assert seen(paid, correction(40, 5)) == [("applied", 40)]
    # What is to be corrected was applied before: not by the same request.
    assert seen(paid, move(41, 5), correction(42, 41)) == [("applied", 5), not_found]
    paid.check()


def test_who_got_it_must_have_it_still_and_be_open(paid: World) -> None:
    opened(paid, "worker:w")
    apply(paid, move(2, 250, TAKER, "worker:w"))
    assert seen(paid, correction(3, 1)) == [("insufficient_funds", "debit")]
    assert record_of(paid, 1).corrected == 0
    assert seen(paid, correction(4, 1, 50)) == [("applied", 50)]
    apply(paid, pending(5, 0, closes="debit"))
    assert seen(paid, correction(6, 1, 1)) == [("account_closed", "credit")]
    paid.check()


def test_a_chain_that_fails_corrects_nothing(paid: World) -> None:
    assert seen(paid, correction(2, 1, 100, linked=True), move(3, 99_999)) == [
        ("chain_failed", None), ("insufficient_funds", "debit"),
    ]  # fmt: skip
    assert seen(paid, correction(4, 1, 300, linked=True), move(5, 1)) == [("applied", 300), ("applied", 1)]
    paid.check()


def test_a_chain_that_fails_leaves_as_much_to_correct_as_there_was(paid: World) -> None:
    chain = correction(2, 1, 100, linked=True), move(3, 99_999)
    assert seen(paid, *chain, correction(4, 1, 300))[-1] == ("applied", 300)
    paid.check()


WRONG = [
    ({"phase": "pending"}, "phase"),
    ({"phase": "void"}, "corrects"),
    ({"amount": 0}, "amount"),
    ({"debit": PAYER}, "debit"),
    ({"credit": PAYER}, "credit"),
    ({"unit": "credits"}, "unit"),
    ({"pending": tid(1)}, "pending"),
    ({"balancing": "debit"}, "balancing"),
    ({"timeout_seconds": 1}, "timeout_seconds"),
    ({"closes": "debit"}, "closes"),
]


@pytest.mark.parametrize(("more", "field"), WRONG)
def test_a_correction_says_what_it_corrects_and_no_more(
    paid: World, more: dict[str, Any], field: str
) -> None:
    if more.get("phase") == "void":
        more = more | {"pending": tid(1)}
    with pytest.raises(InvalidInput) as refused:
        apply(paid, correction(2, 1, **more))
    assert refused.value.field == f"transfers[0].{field}"


def test_the_story_of_a_transfer_tells_what_has_undone_it(paid: World) -> None:
    apply(paid, correction(2, 1, 100), reason="it was slow")
    apply(paid, correction(3, 1, 50), reason="it was wrong, too")
    lines = [line.text for line in story(paid.store, tid(1)).lines]
    assert len(lines) == 3
    assert "it was slow" in lines[1]
    assert (
        f"{tid(2)} moves 100 minor units of credits from {TAKER} to {PAYER}, back from {tid(1)}." in lines[1]
    )
    assert "it was wrong, too" in lines[2]
    assert f"back from {tid(1)}" in story(paid.store, f"account:{PAYER}/credits").lines[-1].text


def test_a_page_of_transfers_says_how_much_of_each_was_undone(paid: World) -> None:
    apply(paid, correction(2, 1, 100))
    page = list_transfers(paid.store, "default", ListTransfers(), paid.limits)
    assert [(one.id, one.corrected, one.corrects) for one in page.items[1:]] == [
        (tid(1), 100, None), (tid(2), 0, tid(1)),
    ]  # fmt: skip


def test_a_grant_can_be_taken_back(world: World) -> None:
    funded(world)
    assert seen(world, correction(2, 0)) == [("applied", 1_000)]
    assert stands(world, "system:issue") == (0, 1_000, 0, 1_000)
    world.check()
