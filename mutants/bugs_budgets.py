"""Planted bugs in budgets of money. Each is one of safety or of liveness: what goes over starts, or what fits waits."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/budgets.py"
_FUNDS = "engine/funds.py"
_STATE = "engine/billing_state.py"

BUGS: Final = (
    Bug(
        "budget-does-not-count-what-is-reserved",
        "only what was charged counts as spent of a budget",
        "safety",
        "L16",
        (Change(_STATE, "row.reserved + row.charged", "row.charged"),),
    ),
    Bug(
        "budget-is-not-freed",
        "what an attempt did not cost stays spent",
        "safety",
        "J14",
        (Change(_ENGINE, "charged=row.charged + due)", "charged=row.charged + charge.amount)"),),
    ),
    Bug(
        "budget-never-begins-anew",
        "a budget counts on when its window is over",
        "safety",
        "L16",
        (
            Change(
                _STATE,
                "    return row.ends_us is not None and row.ends_us <= at_us\n",
                "    return False\n",
            ),
        ),
    ),
    Bug(
        "budget-counts-what-began-before",
        "what ends late is taken from what the next window has counted",
        "safety",
        "J14",
        (Change(_ENGINE, "        if charge.fence >= row.since:\n", "        if True:\n"),),
    ),
    Bug(
        "budget-bounds-nothing-of-several",
        "a budget that is enough for one attempt lets all start that are ready",
        "safety",
        "L16",
        (
            Change(
                _FUNDS,
                "            bounds[budget_subject(row.subject, row.unit)] = _left(batch, row)\n",
                "            _left(batch, row)\n",
            ),
        ),
    ),
    Bug(
        "budget-forgotten-by-a-restart",
        "what is spent of a budget is forgotten by the next engine",
        "safety",
        "J14",
        (
            Change(
                "store/sqlite/ledger.py",
                '    insert_rows(connection, "replace_budget", list(changes.budgets.values()))\n',
                "",
            ),
        ),
    ),
    Bug(
        "nobody-looks-again-when-a-window-ends",
        "what waits for a budget waits on when its window is over, until something else happens",
        "liveness",
        "E9",
        (
            Change(
                _FUNDS,
                "        flow.next_start_us = min(flow.next_start_us or ends_us, ends_us)\n",
                "        pass\n",
            ),
        ),
    ),
    Bug(
        "budget-of-a-partition-bounds-nothing-of-several",
        "the budget of a partition that is enough for one attempt lets all of its ready jobs start",
        "safety",
        "L16",
        (Change("engine/dispatch_partitions.py", "    add_budgets_of_partitions(batch, given)\n", ""),),
    ),
    Bug(
        "budget-of-a-partition-is-not-counted",
        "what starts in a partition is not taken from its budget",
        "safety",
        "L16",
        (Change(_ENGINE, "    if partition and billing.bounds_partitions:\n", "    if False:\n"),),
    ),
    Bug(
        "freed-budget-wakes-no-partition",
        "a partition that has waited for its budget waits on when more of it is left",
        "liveness",
        "E9",
        (Change(_ENGINE, "        batch.state.partitions.wake(number)\n", "        pass\n"),),
    ),
    Bug(
        "new-window-wakes-no-partition",
        "a partition that waits for its budget waits on when its window is over",
        "liveness",
        "E9",
        (
            Change(
                _FUNDS,
                "    return True, None if is_over(row, batch.at_us) else row.ends_us\n",
                "    return True, None\n",
            ),
        ),
    ),
    Bug(
        "other-price-wakes-no-partition",
        "a partition whose budget is enough at the new price waits on",
        "liveness",
        "E9",
        (Change("engine/billing.py", "    batch.state.partitions.wake_all()\n", ""),),
    ),
)
