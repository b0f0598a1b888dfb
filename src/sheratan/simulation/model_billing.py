"""The part of the model that knows what attempts cost: what is reserved for each that runs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from sheratan.contracts.ledger import AMOUNT_MAX, ISSUE, Transfer
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import NewJob, Pending, PriceKind
from sheratan.simulation.model_book import ModelAccount, ModelBook
from sheratan.simulation.model_budgets import BudgetKey, ModelBudgets
from sheratan.simulation.model_lanes import TENANT, Lane, lane_of
from sheratan.simulation.model_shares import ModelShares
from sheratan.simulation.model_state import ModelJob
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelBilling", "Price"]

_OPERATOR: Final = "operator"


class Price(NamedTuple):
    """What an attempt costs: by meter, or as much for each that succeeds."""

    unit: str
    amount: int
    metered: bool
    worker_share: bool


class _Charge(NamedTuple):
    """What is reserved for an attempt that runs."""

    fence: int
    price: Price
    worker: str | None
    leased_us: int


class ModelBilling(ModelShares, ModelBudgets):
    """Prices and charges."""

    limits: Limits
    jobs: dict[int, ModelJob]
    ready: set[int]
    hit: Callable[[str], None]
    book: ModelBook

    def __init__(self) -> None:
        super().__init__()
        self.prices: dict[str, Price | None] = {}
        """What was ever set, by kind; None: nothing any more."""
        self.charged: dict[tuple[int, int], int | None] = {}
        """By job and fence, what an attempt was charged; None while it runs."""
        self.reported: dict[int, int] = {}
        """By job, what its attempt has said in this batch that it has cost."""
        self.overdrawn: set[int] = set()
        """Jobs that were to start, and could go over their own budget."""
        self.overdrawn_now = frozenset[int]()
        """Those that the engine has come across in this batch."""
        self._units: dict[tuple[int, int], str] = {}
        """In what unit."""
        self._open: dict[int, _Charge] = {}
        self._is_reserving = False
        """Whether something was reserved in this batch, which one entry tells of."""

    def _PriceKind(self, pending: Pending, command: PriceKind) -> Any:  # noqa: N802 - the command's name
        if command.amount is None:
            if command.kind not in self.prices:
                raise Refused("not_found")
            self.prices[command.kind] = None
        else:
            self._open_operator(pending, command)
            assert command.unit is not None
            self.prices[command.kind] = Price(
                command.unit, command.amount, command.metered, command.worker_share
            )
        self.hit("price.set" if command.amount else "price.removed")
        self.noted["price.set"] += 1
        return self._entry_of_price(pending)

    def _open_operator(self, pending: Pending, command: PriceKind) -> None:
        if command.kind not in self.prices and len(self.prices) >= self.limits.queues_max:
            raise Refused("limit_reached")
        accounts, unit = self.book.accounts, command.unit or ""
        if (ISSUE, unit) not in accounts:
            self.hit("price.no_unit")
            raise Refused("not_found")
        if (_OPERATOR, unit) in accounts:
            return
        if len(accounts) >= self.limits.accounts_max:
            raise Refused("limit_reached")
        accounts[_OPERATOR, unit] = ModelAccount(
            self._entry_of_price(pending) - 1, accounts[ISSUE, unit].scale
        )
        self.noted["ledger.account_opened"] += 1

    def _entry_of_price(self, pending: Pending) -> int:
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def price_of(self, lane: Lane) -> Price | None:
        """What an attempt at a job of a lane costs."""
        return self.prices.get(lane[1])

    def check_budget(self, new: NewJob) -> None:
        """Whoever asks for a job hears at once that its budget is in no unit, or too small for an attempt."""
        price = self.prices.get(new.kind)
        for unit, amount in new.budget:
            if (ISSUE, unit) not in self.book.accounts:
                self.hit("job_budget.no_unit")
                raise Refused("not_found")
            if price is not None and price.unit == unit and price.amount > amount:
                self.hit("job_budget.refused")
                raise Refused("invalid_input")

    def is_overdrawn(self, job: ModelJob, ending: int = 0) -> bool:
        """Whether an attempt could go over the budget of its job, if one that has just ended is charged so much."""
        price = self.price_of(lane_of(job))
        budget = None if price is None else dict(job.wanted.budget).get(price.unit)
        if price is None or budget is None:
            return False
        charged = sum(
            amount or 0
            for (number, fence), amount in self.charged.items()
            if number == job.number and self._units[number, fence] == price.unit
        )
        return charged + ending + price.amount > budget

    def is_overdrawn_after(self, job: ModelJob) -> bool:
        """The same when its attempt has just failed, and is not settled yet."""
        charge, price = self._open.get(job.number), self.price_of(lane_of(job))
        if charge is None or price is None or charge.price.unit != price.unit or not charge.price.metered:
            return self.is_overdrawn(job)
        return self.is_overdrawn(job, min(self.reported.get(job.number, 0), charge.price.amount))

    def charge_max(self, job: ModelJob) -> int | None:
        """What is reserved for an attempt that starts now."""
        price = self.price_of(lane_of(job))
        return None if price is None else price.amount

    def can_pay(self, lane: Lane, at_us: int) -> bool:
        """Whether one more attempt can be paid for, and is within budget."""
        price = self.price_of(lane)
        if price is None:
            return True
        if self._room(price.unit) < price.amount:
            self.hit("charge.no_funds")
            return False
        if any(self.left_of(key, at_us) < price.amount for key in self.budgets_of(lane, price.unit)):
            self.hit("budget.waits")
            return False
        return True

    def paid_for(self, ready: list[ModelJob], at_us: int) -> list[ModelJob]:
        """Those of these jobs of which one can be paid for."""
        if not self.prices:
            return ready
        lanes = {lane: self.can_pay(lane, at_us) for lane in set(map(lane_of, ready))}
        return [job for job in ready if lanes[lane_of(job)]]

    def is_short(self, job: ModelJob, at_us: int) -> bool:
        """Whether the budget of its partition is not enough for an attempt at a job."""
        price = self.price_of(lane_of(job))
        own = self._own_budget(job)
        return price is not None and own is not None and self.left_of(own, at_us) < price.amount

    def _own_budget(self, job: ModelJob) -> BudgetKey | None:
        """The budget of a job's partition that its attempts use."""
        price = self.price_of(lane_of(job))
        if price is None or not job.wanted.partition:
            return None
        own = (f"partition:{job.wanted.partition}", price.unit)
        return own if self.budgets.get(own) is not None else None

    def partition_pays(self, job: ModelJob, left: dict[str | BudgetKey, int]) -> bool:
        """Whether an attempt at a job is left of the budget of its partition, by the dearest that it is enough for."""
        own = self._own_budget(job)
        if own is None:
            return True
        if own not in left:
            room = self.left_of(own, self.at_us)
            left[own] = room // max(amount for amount in self._asked_of(own) if amount <= room)
        return left[own] > 0

    def _asked_of(self, own: BudgetKey) -> Iterator[int]:
        """What attempts at the ready jobs of a partition cost that use its budget."""
        for job in map(self.jobs.__getitem__, self.ready):
            price = self.price_of(lane_of(job))
            if price is not None and self._own_budget(job) == own:
                yield price.amount

    def pay_for(self, job: ModelJob, left: dict[str | BudgetKey, int]) -> bool:
        """Take one attempt from those that can be paid for, by unit and budget; False when there is none left."""
        lane = lane_of(job)
        price = self.price_of(lane)
        if price is None:
            return True
        budgets = self.budgets_of(lane, price.unit)
        if not left[price.unit]:
            self.hit("charge.paid_for_no_more")
            return False
        if not all(left[key] for key in budgets):
            self.hit("budget.enough_for_some")
            return False
        for key in (price.unit, *self.budgets_of_job(job, price.unit)):
            left[key] -= 1
        return True

    def attempts_paid_for(self, lanes: Iterable[Lane]) -> dict[str | BudgetKey, int]:
        """By unit and by budget, how many attempts at jobs of these lanes can be paid for, whichever they are."""
        dearest: dict[str | BudgetKey, int] = {}
        for lane in lanes:
            price = self.price_of(lane)
            if price is not None:
                for key in (price.unit, *self.budgets_of(lane, price.unit)):
                    dearest[key] = max(price.amount, dearest.get(key, 0))
        rooms = {
            key: self._room(key) if isinstance(key, str) else self.left_of(key, self.at_us) for key in dearest
        }
        return {key: rooms[key] // amount for key, amount in dearest.items()}

    def _room(self, unit: str) -> int:
        payer, taker = self.book.accounts.get((TENANT, unit)), self.book.accounts[_OPERATOR, unit]
        if payer is None or payer.closed_by or taker.closed_by:
            return 0
        return min(payer.left, AMOUNT_MAX - taker.taken - taker.taking)

    def check_closes(self, transfer: Transfer) -> None:
        """No account is closed while it pays for attempts, or is paid by them, that are not settled."""
        closed = transfer.debit if transfer.closes == "debit" else transfer.credit
        if transfer.closes is None or closed not in (TENANT, _OPERATOR) or transfer.id in self.book.transfers:
            return
        if any(charge.price.unit == transfer.unit for charge in self._open.values()):
            self.hit("charge.keeps_open")
            raise Refused("conflict")

    def charge_starts(self, started: Iterable[ModelJob], worker: str) -> None:
        """What the attempts may cost that a worker has started is reserved."""
        for job in started:
            price = self.price_of(lane_of(job))
            if price is None:
                continue
            self.hit("charge.reserved")
            payee = f"worker:{worker}" if price.worker_share else None
            self._open[job.number] = _Charge(job.fence, price, payee, self.at_us)
            self.charged[job.number, job.fence] = None
            self._units[job.number, job.fence] = price.unit
            self.spend((job.number, job.fence), self.budgets_of_job(job, price.unit), price.amount)
            asked = Transfer(
                id=_id("fe", job.number, job.fence), phase="pending", debit=TENANT, credit=_OPERATOR,
                unit=price.unit, amount=price.amount,
            )  # fmt: skip
            self._book(asked)
            if not self._is_reserving:
                self.noted["ledger.transferred"] += 1
            self._is_reserving = True

    def settle_charges(self) -> None:
        """The attempts that have ended are charged, and what they did not cost is free again."""
        self.book.at_us = self.at_us
        self._is_reserving = False
        if any(self.jobs[number].state != "running" for number in self._open):
            self.noted["ledger.transferred"] += 1
        ended = [(self.jobs[number], charge) for number, charge in sorted(self._open.items())]
        ended = [(job, charge) for job, charge in ended if job.state != "running"]
        dues = {job.number: self._charge_due(job, charge) for job, charge in ended}
        margins = self._margins(ended, dues)
        for job, charge in ended:
            del self._open[job.number]
            self._settle_charge(job, charge, dues[job.number], margins.get(job.number))
        for job, charge in ended:
            self.count_attempt(job, charge.worker, charge.price.unit, charge.leased_us)
        self.reported.clear()

    def _margins(self, ended: list[tuple[ModelJob, _Charge]], dues: dict[int, int]) -> dict[int, int]:
        """By job, what the operator keeps of what is shared: all of it decided before any of it is counted."""
        margins = {
            job.number: self.margin_of(charge.worker, charge.price.unit)
            for job, charge in ended
            if charge.worker and dues[job.number] and self.is_shared(charge.worker, charge.price.unit)
        }
        if margins:
            self.noted["ledger.shared"] += 1
        return margins

    def _charge_due(self, job: ModelJob, charge: _Charge) -> int:
        price = charge.price
        if price.metered:
            due = min(self.reported.get(job.number, 0), price.amount)
            self.hit("charge.metered" if due else "charge.nothing_said")
            return due
        due = price.amount if job.state == "succeeded" else 0
        self.hit("charge.posted" if due else "charge.given_back")
        return due

    def _settle_charge(self, job: ModelJob, charge: _Charge, due: int, margin: int | None) -> None:
        number, fence = job.number, charge.fence
        self.charged[number, fence] = due
        self.spent((number, fence), due)
        asked = Transfer(
            id=_id("ff", number, fence), phase="post" if due else "void", pending=_id("fe", number, fence),
            amount=due or None,
        )  # fmt: skip
        self._book(asked)
        if margin is not None and charge.worker is not None:
            share = due - due * margin // 1_000
            self.pay_out(_id("fd", number, fence), charge.worker, charge.price.unit, share)

    def _book(self, asked: Transfer) -> None:
        [(result, _)] = self.book.chain([asked])
        if result != "applied":
            raise Refused(f"a transfer for an attempt is {result}")


def _id(what: str, number: int, fence: int) -> str:
    return f"transfer_ffffff{what}{number:012x}{fence:012x}"
