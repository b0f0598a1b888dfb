"""The ledger through the client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import InsufficientFunds, Transfer, TransferRefused, transfer_id
from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.values import convert

SECONDS_MAX = 60


def move(name: str, amount: int, credit: str = "operator") -> Transfer:
    return Transfer(id=transfer_id(name), debit="tenant:acme", credit=credit, unit="EUR", amount=amount)


def test_a_client_opens_accounts_and_moves_amounts_between_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", []) as client:
            entry = await client.open_account("tenant:acme", "EUR", scale=2, reason="a customer")
            assert await client.open_account("tenant:acme", "EUR") == entry
            await client.open_account("operator", "EUR")
            granted = await client.grant("tenant:acme", 10_000, "EUR", name="top-up-1")
            again = await client.grant("tenant:acme", 10_000, "EUR", name="top-up-1")
            assert (granted.result, again.result, granted.entry) == ("applied", "exists", again.entry)
            moved = await client.transfer(move("invoice-1", 2_550), reason="for October")
            assert (moved.result, moved.amount) == ("applied", 2_550)
            results = await client.apply_transfers([move("invoice-2", 99_999), move("invoice-3", 50)])
            assert [one.result for one in results] == ["insufficient_funds", "applied"]
            record = await client.account("tenant:acme", "EUR")
            assert (record.available, record.scale) == (7_400, 2)
            assert [one.account for one in (await client.accounts("EUR")).items] == [
                "system:issue", "tenant:acme", "operator",
            ]  # fmt: skip
            page = await client.transfers("operator", "EUR", limit=1)
            assert [one.id for one in page.items] == [transfer_id("invoice-1")]
            rest = await client.transfers("operator", "EUR", cursor=page.next_cursor)
            assert [one.id for one in rest.items] == [transfer_id("invoice-3")]
            assert (await client.find_transfer(transfer_id("invoice-1"))).state == "posted"
            assert "for October" in (await client.why(transfer_id("invoice-1"))).lines[0].text
            assert await client.check_ledger() == []

    asyncio.run(scenario())


def test_a_refused_transfer_is_an_error_that_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", []) as client:
            await client.open_account("tenant:acme", "EUR")
            await client.open_account("operator", "EUR")
            with pytest.raises(InsufficientFunds) as poor:
                await client.transfer(move("a", 1))
            assert (poor.value.status, poor.value.field, poor.value.extra["result"]) == (
                402,
                "debit",
                "insufficient_funds",
            )
            assert "tenant:acme in EUR has 0 to give, and 1 was asked for" in str(poor.value)
            with pytest.raises(TransferRefused) as refused:
                await client.transfer(move("b", 1, credit="worker:nobody"))
            assert (refused.value.status, refused.value.extra["result"]) == (409, "account_not_found")
            with pytest.raises(NotFound):
                await client.account("worker:nobody", "EUR")
            with pytest.raises(NotFound):
                await client.find_transfer(transfer_id("a"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "amount",
    [-1, 2**53, 2**63, 1.0, 1e-9, float("nan"), float("inf"), True, "1", "\u0661", None, [1], {"n": 1}],
)
def test_what_is_no_amount_is_refused_and_nothing_moves(tmp_path: Path, amount: object) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", []) as client:
            await client.open_account("tenant:acme", "EUR")
            await client.open_account("operator", "EUR")
            await client.grant("tenant:acme", 10, "EUR", name="g")
            told: Any = {"id": transfer_id("x"), "debit": "tenant:acme", "credit": "operator", "unit": "EUR"}
            with pytest.raises(InvalidInput) as refused:
                await client.apply_transfers([told | {"amount": amount}])
            assert refused.value.code == "invalid_input"
            assert (await client.account("tenant:acme", "EUR")).available == 10

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "transfer_1"), ("id", "transfer_" + "A" * 32), ("id", transfer_id("x") + "\n"),
        ("id", "transfer_" + "\u0661" * 32), ("debit", "tenant:"), ("debit", "acme"), ("debit", "tenant:a b"),
        ("debit", "tenant:a\n"), ("debit", "operator:x"), ("credit", "tenant:" + "a" * 129),
        ("unit", ""), ("unit", "1EUR"), ("unit", "E" * 33), ("unit", "EUR\n"), ("phase", "posted"),
        ("balancing", "both"), ("closes", "all"), ("timeout_seconds", 0), ("linked", 1), ("fee", 1),
    ],
)  # fmt: skip
def test_what_is_no_transfer_is_refused_by_name(field: str, value: object) -> None:

    told = {"id": transfer_id("x"), "debit": "tenant:a", "credit": "operator", "unit": "EUR", "amount": 1}
    assert convert(told, Transfer).amount == 1
    with pytest.raises(InvalidInput):
        convert(told | {field: value}, Transfer)
