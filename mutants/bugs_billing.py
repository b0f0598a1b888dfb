"""Planted bugs in what attempts cost. Each is one of safety: work that nobody has paid for, or money for nothing."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/billing.py"
_DECIDER = "engine/decider.py"
_FUNDS = "engine/funds.py"
_RULE = "kernel/billing.py"
_BATCH = "engine/batch.py"

BUGS: Final = (
    Bug(
        "starts-without-a-reservation",
        "what an attempt may cost is not reserved",
        "safety",
        "L14",
        (Change(_DECIDER, "        billing.reserve(batch)\n", ""),),
    ),
    Bug(
        "ends-without-a-settlement",
        "what was reserved for an attempt stays reserved when it ends",
        "safety",
        "L10",
        (
            Change(
                _DECIDER,
                "        billing.settle_charges(batch)\n        dispatch(batch)\n",
                "        dispatch(batch)\n",
            ),
        ),
    ),
    Bug(
        "lost-with-the-engine-is-not-settled",
        "what was reserved for attempts that a crash has ended stays reserved",
        "safety",
        "L10",
        (
            Change(
                _DECIDER,
                "        billing.settle_charges(batch)\n        batch.unit.engine_entry = self.state.engine_entry\n"
                "        return batch\n\n    def stop",
                "        batch.unit.engine_entry = self.state.engine_entry\n        return batch\n\n    def stop",
            ),
        ),
    ),
    Bug(
        "reservations-forgotten-by-a-restart",
        "a new engine does not know what is reserved for attempts that run",
        "safety",
        "L10",
        (
            Change(
                "store/sqlite/queries/select_open_charges.sql",
                "FROM lease\n",
                "FROM (SELECT * FROM lease LIMIT 0) AS lease\n",
            ),
        ),
    ),
    Bug(
        "failure-costs-as-much",
        "an attempt that has failed is charged as one that has succeeded",
        "safety",
        "L10",
        (Change(_RULE, "    return reserved if succeeded else 0\n", "    return reserved\n"),),
    ),
    Bug(
        "meter-beyond-what-is-reserved",
        "an attempt is charged what it says, however much that is",
        "safety",
        "L4",
        (Change(_RULE, "        return min(reported or 0, reserved)\n", "        return reported or 0\n"),),
    ),
    Bug(
        "meter-counts-where-the-price-is-fixed",
        "an attempt with a fixed price is charged what it says",
        "safety",
        "L10",
        (
            Change(_ENGINE, "metered=bool(charge.metered), succeeded", "metered=True, succeeded"),
            Change(
                _ENGINE,
                "batch.reported.get(charge.number) if charge.metered else None",
                "batch.reported.get(charge.number)",
            ),
        ),
    ),
    Bug(
        "two-workers-spend-the-same",
        "what one worker's jobs reserve in a batch is there for those of the next worker, too",
        "safety",
        "L2",
        (Change(_FUNDS, " - batch.spoken_for[price.tenant, price.unit]", ""),),
    ),
    Bug(
        "cheapest-counts",
        "how many attempts can be paid for is counted by the cheapest of them",
        "safety",
        "L2",
        (Change(_FUNDS, "max(amount for", "min(amount for"),),
    ),
    Bug(
        "account-that-pays-is-closed",
        "an account can be closed while attempts run that it pays for",
        "safety",
        "L15",
        (
            Change(
                "engine/ledger.py",
                "    request.check_closings()\n",
                "",
            ),
        ),
    ),
    Bug(
        "price-of-the-end",
        "an attempt is charged by the price that holds when it ends",
        "safety",
        "L10",
        (
            Change(
                _BATCH,
                "        self.unsettled.append(charge)\n",
                "        for row in self.state.billing.prices.values():\n"
                "            if row.unit == charge.unit:\n"
                "                charge = charge._replace(metered=row.metered)\n"
                "        self.unsettled.append(charge)\n",
            ),
        ),
    ),
    Bug(
        "price-not-stored",
        "a price that is set is forgotten by the next engine",
        "safety",
        "L14",
        (
            Change(
                "store/sqlite/ledger.py",
                '    insert_rows(connection, "replace_price", list(changes.prices.values()))\n',
                "",
            ),
        ),
    ),
    Bug(
        "funds-hold-up-others",
        "where one kind cannot be paid for, no other starts either",
        "liveness",
        "F1",
        (
            Change(
                "engine/lease_input.py",
                '            status = shortage(batch, lane) or "open"\n',
                "            if shortage(batch, lane):\n                return [], []\n",
            ),
        ),
    ),
)
