"""The sentences of entries about the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.margin import share_text
from sheratan.kernel.story_words import who
from sheratan.kernel.words import count, seconds

__all__ = ["LEDGER_TELLERS", "share_about", "transfers_about"]

_TOLD_MAX: Final = 3
"""Transfers of one entry that are told one by one."""


def _opened(entry: Entry) -> str:
    data = entry.data
    digits = f"{count(data['scale'], 'digit')} after the point"
    return (
        f"{who(entry)} opened the account {data['account']} in {data['unit']}, with {digits}{_reason(entry)}."
    )


def _asked(entry: Entry) -> str:
    asked = "transfers"
    if "attempts" in entry.data:
        return _of_attempts(entry)
    if entry.decision is not None:
        asked = count(len(entry.decision["input"]["transfers"]), "transfer")
    return f"{who(entry)} asked for {asked}{_reason(entry)}."


def _of_attempts(entry: Entry) -> str:
    attempts = count(len({tuple(told[:2]) for told in entry.data["attempts"]}), "attempt")
    phases = (
        {one.get("phase") for one in entry.decision["input"]["transfers"]} if entry.decision else set[str]()
    )
    if phases == {"pending"}:
        return f"What {attempts} may cost was reserved."
    return f"What {attempts} did cost was settled."


def _shared(entry: Entry) -> str:
    return f"What {count(len(entry.data['attempts']), 'attempt')} did cost was shared with the workers."


def share_about(entry: Entry, number: int, fence: int) -> str:
    """What an entry says of the share in what one attempt was charged."""
    decision: Any = entry.decision
    place = entry.data["attempts"].index([number, fence])
    return share_text(decision["input"]["shares"][place], decision["chosen"][place])


def _expired(entry: Entry) -> str:
    transfers = entry.data["transfers"]
    return (
        f"{count(len(transfers), 'pending transfer')} ran out of time, and what was reserved is free again."
    )


def _reason(entry: Entry) -> str:
    reason = entry.data.get("reason")
    return f": {reason}" if reason else ""


def transfers_about(entry: Entry, *subjects: str) -> str:
    """What an entry does to accounts (`account:NAME/UNIT`) or transfers, one sentence for each of the first ones.

    Without subjects, all that it does.
    """
    if entry.decision is None:
        return ""
    told = [text for names, text in _each(entry) if not subjects or not names.isdisjoint(subjects)]
    more = f" And {len(told) - _TOLD_MAX} more." if len(told) > _TOLD_MAX else ""
    return "".join(f" {text}" for text in told[:_TOLD_MAX]) + more


def _each(entry: Entry) -> Iterator[tuple[set[str], str]]:
    """Each transfer of an entry: what it is about, and a sentence."""
    decision: Any = entry.decision
    given = decision["input"]
    reserved = dict(given["pending"])
    for transfer, (result, detail) in zip(given["transfers"], decision["chosen"], strict=True):
        reserved.setdefault(transfer["id"], transfer)
        sides = _sides(given, reserved, transfer)
        names = {transfer["id"], transfer.get("pending", ""), transfer.get("corrects", "")}
        names |= {
            "account:" + "/".join(given["accounts"][sides[side]][:2])
            for side in ("debit", "credit")
            if side in sides
        }
        yield names, _sentence(given["accounts"], transfer, sides, result, detail)


def _sides(given: Any, reserved: dict[str, Any], transfer: dict[str, Any]) -> dict[str, Any]:
    """Where a transfer goes, by its own fields or by those of the one that it names."""
    if "corrects" in transfer:
        original = given.get("originals", {}).get(transfer["corrects"])
        return {"debit": original["credit"], "credit": original["debit"]} if original else {}
    return transfer if "debit" in transfer else reserved.get(transfer.get("pending", ""), {})


def _sentence(
    accounts: list[list[Any]], transfer: dict[str, Any], sides: dict[str, Any], result: str, detail: Any
) -> str:
    key = transfer["id"]
    if result != "applied":
        return f"{key}: {result.replace('_', ' ')}{f' ({detail})' if isinstance(detail, str) else ''}."
    debit, credit = accounts[sides["debit"]], accounts[sides["credit"]]
    moved = f"{detail} minor units of {debit[1]} from {debit[0]} to {credit[0]}"
    phase = transfer.get("phase", "single")
    if phase == "pending":
        ends = f" for {seconds(transfer['timeout_us'])}" if "timeout_us" in transfer else ""
        closes = f" and closes the account to {transfer['closes']}" if "closes" in transfer else ""
        return f"{key} reserves {moved}{ends}{closes}."
    if phase == "void":
        return f"{key} gives back what {transfer['pending']} reserved."
    if "corrects" in transfer:
        return f"{key} moves {moved}, back from {transfer['corrects']}."
    of = f", of what {transfer['pending']} reserved" if phase == "post" else ""
    return f"{key} moves {moved}{of}."


def _priced(entry: Entry) -> str:
    data, kind = entry.data, entry.subject.partition(":")[2]
    if data["amount"] is None:
        return f"{who(entry)} had attempts at jobs of {kind} cost nothing{_reason(entry)}."
    most = "what their handler says, at most " if data["metered"] else ""
    share = ", of which their workers get a share" if data.get("worker_share") else ""
    text = f"{most}{data['amount']} minor units of {data['unit']}{share}"
    return f"{who(entry)} had attempts at jobs of {kind} cost {text}{_reason(entry)}."


def _budgeted(entry: Entry) -> str:
    data, (subject, _, unit) = entry.data, entry.subject.partition(":")[2].rpartition("/")
    if data["amount"] is None:
        return f"{who(entry)} took the budget of {subject} in {unit} away{_reason(entry)}."
    per = f" per {data['per']}" if "per" in data else " from then on"
    most = f"at most {data['amount']} minor units of {unit}{per}"
    return f"{who(entry)} had the jobs of {subject} spend {most}{_reason(entry)}."


LEDGER_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "ledger.account_opened": _opened,
    "ledger.transferred": _asked,
    "ledger.refused": _asked,
    "ledger.expired": _expired,
    "ledger.shared": _shared,
    "price.set": _priced,
    "budget.set": _budgeted,
}
"""The sentence of each type of entry about the ledger."""
