"""What a client may do about the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sheratan.contracts.api import Story, TellWhy, Transport
from sheratan.contracts.errors import InsufficientFunds, TransferRefused
from sheratan.contracts.ledger import (
    ISSUE,
    AccountRecord,
    Transfer,
    TransferRecord,
    TransferResult,
    transfer_id,
)
from sheratan.contracts.ledger_requests import (
    AccountPage,
    ApplyTransfers,
    CheckLedger,
    GetAccount,
    GetTransfer,
    LedgerFinding,
    ListAccounts,
    ListTransfers,
    OpenAccount,
    TransferPage,
)
from sheratan.contracts.prices import Charge, ListCharges
from sheratan.contracts.refunds import job_refunds
from sheratan.contracts.values import convert

__all__ = ["LedgerCalls"]


class LedgerCalls:
    """The part of a client that opens accounts and moves amounts between them."""

    _transport: Transport

    async def open_account(
        self, account: str, unit: str, *, scale: int | None = None, reason: str = ""
    ) -> int:
        """Open an account of a unit unless there is one; returns the journal entry that has opened it.

        The first account of a unit fixes its scale: how many digits come after the decimal point.
        """
        wanted = {"account": account, "unit": unit, "scale": scale, "reason": reason}
        entry: int = await self._transport.call(convert(wanted, OpenAccount))
        return entry

    async def apply_transfers(
        self, transfers: Sequence[Transfer], *, reason: str = ""
    ) -> list[TransferResult]:
        """Apply transfers in this order; what has become of each is in the answer, a refused one raises nothing."""
        wanted = {"transfers": list(transfers), "reason": reason}
        results: list[TransferResult] = await self._transport.call(convert(wanted, ApplyTransfers))
        return results

    async def transfer(self, transfer: Transfer, *, reason: str = "") -> TransferResult:
        """Apply one transfer. InsufficientFunds, or another TransferRefused, when it is refused."""
        [result] = await self.apply_transfers([transfer], reason=reason)
        if result.result in ("applied", "exists"):
            return result
        refused = InsufficientFunds if result.result == "insufficient_funds" else TransferRefused
        story: Story = await self._transport.call(TellWhy(id=f"entry:{result.entry}"))
        text = (
            f"{result.id}: {result.result.replace('_', ' ')} (entry {result.entry}): {story.lines[-1].text}"
        )
        raise refused(text, field=result.field, result=result.result, entry=result.entry)

    async def grant(
        self, account: str, amount: int, unit: str, *, name: str, reason: str = ""
    ) -> TransferResult:
        """Bring an amount into being on an account, in minor units; by the same name it is granted once."""
        wanted = {"id": transfer_id(name), "amount": amount, "debit": ISSUE, "credit": account, "unit": unit}
        return await self.transfer(convert(wanted, Transfer), reason=reason)

    async def refund(
        self, transfer: str, amount: int | None = None, *, name: str, reason: str
    ) -> TransferResult:
        """Undo a transfer, by its id, or so many minor units of it; by the same name it goes back once.

        All refunds of a transfer come to no more than it has moved. InsufficientFunds when who got it has it no more.
        """
        wanted = {"id": transfer_id(name), "corrects": transfer, "amount": amount}
        return await self.transfer(convert(wanted, Transfer), reason=reason)

    async def refund_job(
        self,
        job_id: str,
        amount: int | None = None,
        *,
        name: str,
        reason: str,
        with_share: bool = False,
    ) -> list[TransferResult]:
        """Give back what the attempts at a job were charged, each by a transfer; by the same name once.

        The operator gives it; `with_share` the worker's share comes back to the operator before, in one chain.

        What has become of each is in the answer, a refused one raises nothing. Conflict when nothing was charged, or
        when an amount is given and several attempts were charged.
        """
        charges: list[Charge] = await self._transport.call(convert({"id": job_id}, ListCharges))
        wanted = job_refunds(charges, name=name, amount=amount, with_share=with_share)
        return await self.apply_transfers(wanted, reason=reason)

    async def account(self, account: str, unit: str) -> AccountRecord:
        """An account as it stands, or NotFound."""
        wanted = {"account": account, "unit": unit}
        record: AccountRecord = await self._transport.call(convert(wanted, GetAccount))
        return record

    async def accounts(
        self, unit: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> AccountPage:
        """Accounts in the order in which they were opened, a page at a time."""
        wanted = {"unit": unit, "limit": limit, "cursor": cursor}
        page: AccountPage = await self._transport.call(convert(wanted, ListAccounts))
        return page

    async def find_transfer(self, transfer: str) -> TransferRecord:
        """A transfer by its id, as it stands, or NotFound."""
        record: TransferRecord = await self._transport.call(convert({"id": transfer}, GetTransfer))
        return record

    async def transfers(
        self,
        account: str | None = None,
        unit: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TransferPage:
        """Transfers in the order in which they were applied, of an account or of all, a page at a time."""
        wanted = {"account": account, "unit": unit, "limit": limit, "cursor": cursor}
        page: TransferPage = await self._transport.call(convert(wanted, ListTransfers))
        return page

    async def check_ledger(self) -> list[LedgerFinding]:
        """Everything in the ledger that does not add up; empty when all does."""
        found: list[LedgerFinding] = await self._transport.call(CheckLedger())
        return found
