"""Planted bugs in the ledger. Each is one of safety: somebody has more, or less, than is theirs."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/ledger.py"
_RULE = "kernel/ledger.py"
_MOVES = "kernel/ledger_moves.py"
_STATE = "engine/ledger_state.py"
_STORE = "store/sqlite/ledger.py"

_ACCOUNTS = "kernel/accounts.py"

BUGS: Final = (
    Bug(
        "reservations-do-not-count",
        "what is reserved can be given away once more",
        "safety",
        "L2",
        (
            Change(
                _ACCOUNTS,
                "account[CREDITS_POSTED] - account[DEBITS_POSTED] - account[DEBITS_PENDING]",
                "account[CREDITS_POSTED] - account[DEBITS_POSTED]",
            ),
        ),
    ),
    Bug(
        "rest-stays-reserved",
        "when a part of a reservation is posted the rest is not given back",
        "safety",
        "L4",
        (
            Change(
                _MOVES,
                '        debit[DEBITS_PENDING] -= found["amount"]\n',
                '        debit[DEBITS_PENDING] -= amount or found["amount"]\n',
            ),
        ),
    ),
    Bug(
        "posted-beyond-its-reservation",
        "more is posted than was reserved",
        "safety",
        "L4",
        (Change(_MOVES, 'if amount > found["amount"]:', 'if amount > 2 * found["amount"]:'),),
    ),
    Bug(
        "id-counts-within-its-batch-no-more",
        "a transfer that is asked for twice before one commit is applied twice",
        "safety",
        "L6",
        (
            Change(
                _ENGINE,
                "            if (self._tenant, key) in changes.transfers\n",
                "            if (self._tenant, key) in changes.transfers and False\n",
            ),
        ),
    ),
    Bug(
        "another-amount-under-the-same-id",
        "a transfer with another amount under a known id is answered as if it had been applied",
        "safety",
        "L6",
        (Change(_RULE, '"unit", "amount", "pending", "timeout_us"', '"unit", "pending", "timeout_us"'),),
    ),
    Bug(
        "half-a-chain",
        "of a chain that fails what came before the refused transfer stays applied",
        "safety",
        "L7",
        (
            Change(
                _RULE,
                "                self.accounts, self._applied, self.pending, self.originals = before\n",
                "",
            ),
        ),
    ),
    Bug(
        "balances-beyond-what-there-is",
        "a transfer that balances moves all that was asked for",
        "safety",
        "L8",
        (
            Change(
                _MOVES,
                "        if balancing is None:\n            return amount\n",
                "        return amount\n",
            ),
        ),
    ),
    Bug(
        "posted-after-its-time",
        "a reservation whose time is over can still be posted while nobody has seen to it",
        "safety",
        "L9",
        (
            Change(_MOVES, 'return "expired" if is_late and found["state"] == "pending" else', "return"),
            Change("engine/decider.py", "if self.state.ledger.is_due(batch.at_us):", "if False:"),
        ),
    ),
    Bug(
        "expired-and-still-reserved",
        "what was reserved by a transfer that has expired is not free again in memory",
        "safety",
        "L11",
        (
            Change(
                _ENGINE,
                "    batch.state.ledger.put(key, view, batch.unit.ledger)\n",
                "    if batch.answers:\n        batch.state.ledger.put(key, view, batch.unit.ledger)\n",
            ),
        ),
    ),
    Bug(
        "never-expires-after-a-restart",
        "an engine that starts does not know that reservations are to expire",
        "safety",
        "L9",
        (
            Change(
                _STATE,
                "self.next_expiry_us = store.next_expiry_us()",
                "self.next_expiry_us: int | None = None",
            ),
        ),
    ),
    Bug(
        "closed-account-can-be-posted-to",
        "what was reserved before an account was closed is posted all the same",
        "safety",
        "L15",
        (
            Change(
                _MOVES,
                'if account[CLOSED_BY] is not None and (transfer["phase"], account[CLOSED_BY]) != ("void", key):',
                "if False:",
            ),
        ),
    ),
    Bug(
        "never-opened-again",
        "an account stays closed after the transfer that closes it is void",
        "safety",
        "L15",
        (Change(_MOVES, "        debit[CLOSED_BY] = credit[CLOSED_BY] = None\n", ""),),
    ),
    Bug(
        "resolved-and-still-pending",
        "the row of a pending transfer that was resolved stays",
        "safety",
        "L3",
        (
            Change(
                _STORE,
                "    gone = [(row.number,) for row, stays in pending if not stays]\n",
                "    gone: list[tuple[int]] = []\n",
            ),
        ),
    ),
    Bug(
        "refused-and-recorded-as-applied",
        "an entry says of a request of which nothing was applied that something was",
        "explanation",
        "L11",
        (
            Change(
                _ENGINE,
                'entry_type = "ledger.transferred" if applied else "ledger.refused"',
                'entry_type = "ledger.transferred"',
            ),
        ),
    ),
    Bug(
        "grants-without-a-source",
        "what is given by the issue account is credited and never debited",
        "safety",
        "L1",
        (
            Change(
                _ENGINE,
                "        for place in touched:\n            view = self._view(place)\n",
                "        for place in touched:\n            view = self._view(place)\n"
                "            if view.account.name == ISSUE:\n                continue\n",
            ),
        ),
    ),
    Bug(
        "corrected-beyond-what-was-moved",
        "each correction of a transfer may be as much as all of it",
        "safety",
        "L5",
        (
            Change(
                _MOVES,
                '        left = found["amount"] - found["corrected"]\n',
                '        left = found["amount"]\n',
            ),
        ),
    ),
    Bug(
        "corrections-of-one-batch-do-not-count",
        "what an earlier request of the same batch has corrected can be corrected once more",
        "safety",
        "L5",
        (
            Change(
                "engine/corrections.py",
                "batch.unit.ledger.corrected.get(number) or batch.state.store",
                "batch.state.store",
            ),
        ),
    ),
    Bug(
        "corrects-the-same-way",
        "a correction moves its amount the way of the transfer that it is to undo",
        "safety",
        "L5",
        (
            Change(
                _MOVES,
                '"debit": found["credit"], "credit": found["debit"]',
                '"debit": found["debit"], "credit": found["credit"]',
            ),
        ),
    ),
    Bug(
        "corrections-can-be-corrected",
        "a correction is itself undone, and then the transfer once more",
        "safety",
        "L5",
        (Change("engine/corrections.py", " and row.corrects is None", ""),),
    ),
    Bug(
        "story-forgets-an-account",
        "an entry does not name the last entry about one of its accounts",
        "explanation",
        "previous",
        (
            Change(
                _ENGINE,
                "views = [self._view(place) for place in places]",
                "views = [self._view(place) for place in places[:1]]",
            ),
        ),
    ),
    Bug(
        "refused-one-of-an-id-counts",
        "what is posted in its own request moves between the accounts of the first one of its id, even if refused",
        "safety",
        "L4",
        (
            Change(
                _ENGINE,
                "        return before[transfer.pending][2:]\n",
                "        return self._places_of(next(one for one in self._transfers if one.id == transfer.pending))\n",
            ),
        ),
    ),
)
