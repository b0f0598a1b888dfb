"""T42: a migration is killed before each of its statements, and before each operation on the files."""

from __future__ import annotations

from crash.case import Case, Outcome, Run
from crash.child import ask
from crash.storage_migrate import Found, Order

__all__ = ["CASE"]


def _run(run: Run, *, without_transaction: bool = False) -> Outcome:
    order = Order(
        folder=str(run.folder),
        seed=run.seed,
        stride=run.size(slice=9, full=1),
        statement_stride=run.size(slice=5, full=1),
        without_transaction=without_transaction,
    )
    found = ask("crash.storage_migrate", order, Found)
    return Outcome(dict(found.kills), found.violations)


CASE = Case(
    id="T42",
    name="migration-killed",
    promise=(
        "killed at each statement and each operation, a migration has happened or not; the journal verifies and the"
        " migration comes to its end when begun anew; a database of a newer release is refused unchanged"
    ),
    run=_run,
    control=lambda run: _run(run, without_transaction=True),
    control_does="a migration is no transaction: its statements are durable one by one",
)
