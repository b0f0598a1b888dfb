"""The part of the model that knows what workers get of what attempts at jobs are charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sheratan.contracts.ledger import Transfer
from sheratan.simulation.model_book import ModelBook
from sheratan.simulation.model_state import ModelJob
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelShares"]


@dataclass
class _Record:
    """What is known of a worker: eight times the mean of thousandths that succeed, and of milliseconds."""

    success: int = 4_000
    latency: int = 12_000
    attempts: int = 0

    @property
    def margin(self) -> int:
        """What the operator keeps, in thousandths."""
        return 100 + 20 * (1_000 - self.success // 8) // 100 + 10 * (self.latency // 8) // 150


class ModelShares:
    """How reliable workers are, and their shares."""

    book: ModelBook
    noted: Counter[str]
    at_us: int
    hit: Callable[[str], None]

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[tuple[str, str], _Record] = {}
        """By account and unit."""

    def is_shared(self, worker: str, unit: str) -> bool:
        """Whether there is an account that a share goes to."""
        return (worker, unit) in self.book.accounts

    def margin_of(self, worker: str, unit: str) -> int:
        """What the operator keeps of what a worker's next attempt is charged, in thousandths."""
        return self.records.get((worker, unit), _Record()).margin

    def pay_out(self, public_id: str, worker: str, unit: str, amount: int) -> None:
        """A worker gets a share, unless its account cannot take it."""
        asked = Transfer(id=public_id, debit="operator", credit=worker, unit=unit, amount=amount)
        [(result, _)] = self.book.chain([asked])
        if result == "applied":
            self.hit("share.paid")
        elif result in ("account_closed", "balance_too_large"):
            self.hit("share.kept_back")
        else:
            raise Refused(f"a share of an attempt is {result}")

    def count_attempt(self, job: ModelJob, worker: str | None, unit: str, leased_us: int) -> None:
        """An attempt has ended: what it says about its worker."""
        if worker is None or not self.is_shared(worker, unit):
            return
        failed = job.state == "scheduled" or (job.state == "failed" and job.error_class != "lost_lease")
        if not failed and job.state != "succeeded":
            self.hit("share.tells_nothing")
            return
        self.hit("share.failure_counts" if failed else "share.success_counts")
        record = self.records.setdefault((worker, unit), _Record())
        latency_ms = min(1_500, (self.at_us - leased_us) // 1_000)
        record.success += (0 if failed else 1_000) - record.success // 8
        record.latency += latency_ms - record.latency // 8
        record.attempts += 1
