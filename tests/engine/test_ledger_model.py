"""The ledger against a model of it, step by step, in whatever order Hypothesis comes up with."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from sheratan.contracts.ledger import AMOUNT_MAX, Phase, Side, Transfer
from sheratan.engine.commands import ApplyTransfers
from sheratan.simulation.model_book import ModelAccount, ModelBook
from tests.engine.booking import opened, tid
from tests.engine.world import SECOND, World

ACCOUNTS = ("tenant:a", "tenant:b", "operator", "system:issue")
UNIT = "credits"

accounts = st.sampled_from(ACCOUNTS)
amounts = st.sampled_from((1, 2, 7, 50, 1_000, AMOUNT_MAX)) | st.integers(1, 100)
ids = st.integers(1, 40)


@st.composite
def moves(draw: st.DrawFn) -> Transfer:
    debit = draw(accounts)
    credit = draw(accounts.filter(lambda name: name != debit))
    phase: Phase = draw(st.sampled_from(("single", "pending")))
    timeout = draw(st.sampled_from((None, 1, 5))) if phase == "pending" else None
    closes: Side | None = (
        draw(st.sampled_from((None, None, None, "debit", "credit"))) if phase == "pending" else None
    )
    balancing: Side | None = draw(st.sampled_from((None, None, "debit", "credit")))
    return Transfer(
        id=tid(draw(ids)), phase=phase, debit=debit, credit=credit, unit=UNIT, amount=draw(amounts),
        timeout_seconds=timeout, closes=closes, balancing=balancing,
    )  # fmt: skip


@st.composite
def resolutions(draw: st.DrawFn) -> Transfer:
    pending = tid(draw(ids))
    if draw(st.booleans()):
        return Transfer(id=tid(draw(ids)), phase="void", pending=pending)
    amount = draw(st.sampled_from((None, 0, 1, 40)))
    return Transfer(id=tid(draw(ids)), phase="post", pending=pending, amount=amount)


@st.composite
def corrections(draw: st.DrawFn) -> Transfer:
    amount = draw(st.sampled_from((None, None, 1, 40)))
    return Transfer(id=tid(draw(ids)), corrects=tid(draw(ids)), amount=amount)


class Ledger(RuleBasedStateMachine):
    """Every answer and every balance are the model's, and at each commit everything adds up."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.model = ModelBook(lambda name: None)

    @initialize()
    def begin(self) -> None:
        opened(self.world, *ACCOUNTS)
        self.model.accounts = {(name, UNIT): ModelAccount(0, 0) for name in ACCOUNTS}
        self.ask([Transfer(id=tid(0), debit="system:issue", credit="tenant:a", unit=UNIT, amount=500)])

    @rule(
        transfers=st.lists(moves() | resolutions() | corrections(), min_size=1, max_size=5),
        tied=st.booleans(),
    )
    def apply(self, transfers: list[Transfer], tied: bool) -> None:
        last = len(transfers) - 1
        self.ask([replace(one, linked=tied and place < last) for place, one in enumerate(transfers)])

    @rule(seconds=st.sampled_from((0, 1, 4)))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds * SECOND)

    @rule()
    def restart(self) -> None:
        self.world.crash()
        self.model.at_us = self.world.clock.now_us()

    def ask(self, transfers: list[Transfer]) -> None:
        self.model.at_us = self.world.clock.now_us()
        self.model.expire()
        meant = self._meant(transfers)
        found = self.world.ask(ApplyTransfers(transfers=tuple(transfers), reason=""))
        said = [(one.result, one.field if one.amount is None else one.amount) for one in found]
        assert said == meant

    def _meant(self, transfers: list[Transfer]) -> list[tuple[str, int | str | None]]:
        self.model.begin_request()
        outcomes: list[tuple[str, int | str | None]] = []
        chain: list[Transfer] = []
        for one in transfers:
            chain.append(one)
            if not one.linked:
                outcomes += self.model.chain(chain)
                chain = []
        return outcomes

    @invariant()
    def adds_up(self) -> None:
        stored = {
            (row.name, row.unit): balance[1:5] for row, balance in self.world.store.all_ledger_accounts()
        }
        if self.model.late(self.world.clock.now_us()) is None:
            # Else the engine has not come to what has expired since.
            meant = {
                key: (one.giving, one.given, one.taking, one.taken)
                for key, one in self.model.accounts.items()
            }
            assert stored == meant
        assert self.world.store.ledger_findings() == []

    def teardown(self) -> None:
        self.world.check()
        self.world.close()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
