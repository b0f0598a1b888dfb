"""An effect that happens once although its job runs twice: python once.py DATA.

The bank below remembers which job a transfer belongs to. The handler fails after the transfer, as if the machine had
died there, so that the next attempt does it again; the bank recognises it.
"""

from __future__ import annotations

import asyncio
import sys

import sheratan
from sheratan import Context, Retryable, job


class Bank:
    """Somebody else's system, with idempotency keys."""

    def __init__(self) -> None:
        self.transfers: dict[str, int] = {}

    def transfer(self, key: str, amount: int) -> bool:
        """Transfer an amount, once per key; False when that was done before."""
        is_new = key not in self.transfers
        self.transfers.setdefault(key, amount)
        return is_new


BANK = Bank()


@job(backoff_base_seconds=0.01)
async def pay(ctx: Context, amount: int) -> str:
    """Pay, and lose the answer the first time."""
    is_new = BANK.transfer(ctx.job_id, amount)
    if ctx.attempt == 1:
        raise Retryable("the connection broke after the transfer")
    return "paid now" if is_new else "was paid before"


async def main(data: str) -> None:
    """Pay once."""
    async with sheratan.open(data, [pay]) as client:
        print(await client.run(pay, 250))
    print(f"{len(BANK.transfers)} transfer")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
