"""`why` of accounts and transfers: one entry may be about many of them, and each has its own story."""

from __future__ import annotations

from sheratan.contracts.api import Story, StoryLine
from sheratan.contracts.errors import Archived, InvalidInput, NotFound
from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger_requests import GetTransfer
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.values import convert
from sheratan.engine.entries import LINES_MAX, archived_line, read_entry, story_line
from sheratan.engine.ledger_views import find_account, transfer_record
from sheratan.kernel.billing import payout_id
from sheratan.kernel.ledger_facts import transfer_bytes, transfer_text
from sheratan.kernel.story import tell
from sheratan.kernel.story_ledger import share_about, transfers_about
from sheratan.store.billing_rows import ChargeView
from sheratan.store.port import Reader

__all__ = ["account_story", "charge_lines", "transfer_story"]


def transfer_story(reader: Reader, subject: str) -> Story:
    """The entry that has applied a transfer, the one that has resolved it, and those that have undone some of it."""
    try:
        request = convert({"id": subject}, GetTransfer)
    except InvalidInput as error:
        raise NotFound(f"there is no such transfer: {error.detail}", field="id") from error
    record = transfer_record(reader, DEFAULT_TENANT, request)
    entries = [record.entry] if record.resolved_by is None else [record.entry, record.resolved_by]
    entries += corrected_by(reader, DEFAULT_TENANT, transfer_bytes(subject)) if record.corrected else []
    # A transfer may be resolved by the very request that has reserved it.
    lines = [line_about(reader, seq, subject) for seq in dict.fromkeys(entries)]
    return Story(subject=subject, state=record.state, lines=lines)


def corrected_by(reader: Reader, tenant: str, key: bytes) -> list[int]:
    """The first entries that have undone a transfer, or some of it."""
    return [row.entry for row in reader.corrections_of(tenant, key, LINES_MAX)]


def account_story(reader: Reader, subject: str) -> Story:
    """From the newest entry about an account back to the one that has opened it."""
    name, _, unit = subject.removeprefix("account:").rpartition("/")
    balance = find_account(reader, DEFAULT_TENANT, name, unit).balance
    lines: list[StoryLine] = []
    seq: int | None = balance.entry
    while seq is not None and len(lines) < LINES_MAX:
        try:
            entry = read_entry(reader, seq)
        except Archived:
            lines.append(archived_line(reader, seq))
            break
        lines.append(_line(entry, subject))
        seq = _previous(entry, name, unit)
    lines.reverse()
    return Story(subject=subject, state="open" if balance.closed_by is None else "closed", lines=lines)


def _previous(entry: Entry, name: str, unit: str) -> int | None:
    """The entry before, in the story of an account."""
    accounts = entry.data.get("accounts", ())
    return next((seq for told, told_unit, seq in accounts if (told, told_unit) == (name, unit)), None)


def charge_lines(reader: Reader, charge: ChargeView) -> list[StoryLine]:
    """What was reserved for an attempt, how that was settled and shared, and what was given back of it since."""
    names = [transfer_text(charge.transfer)]
    if charge.settlement is not None and charge.settled is not None:
        names += [transfer_text(charge.settlement), payout_id(charge.number, charge.fence)]
    seqs = [charge.entry] if charge.settled is None else [charge.entry, charge.settled]
    if charge.worker is not None and charge.settled is not None:
        seqs += corrected_by(reader, charge.tenant, transfer_bytes(names[-1]))
    if charge.settlement is not None:
        seqs += corrected_by(reader, charge.tenant, charge.settlement)
    lines = [line_about(reader, seq, *names) for seq in dict.fromkeys(seqs)]
    return lines + _share_lines(reader, charge)


def _share_lines(reader: Reader, charge: ChargeView) -> list[StoryLine]:
    """Why its worker got what it got of what an attempt was charged."""
    if charge.worker is None or charge.settled is None:
        return []
    try:
        seq = read_entry(reader, charge.settled).data.get("shared")
        entry = None if seq is None else read_entry(reader, seq)
    except Archived:
        # The line of the settlement says that it is archived, and where.
        return []
    if entry is None or [charge.number, charge.fence] not in entry.data["attempts"]:
        return []
    return [story_line(entry, share_about(entry, charge.number, charge.fence))]


def line_about(reader: Reader, seq: int, *subjects: str) -> StoryLine:
    """What an entry says of accounts or transfers."""
    try:
        return _line(read_entry(reader, seq), *subjects)
    except Archived:
        return archived_line(reader, seq)


def _line(entry: Entry, *subjects: str) -> StoryLine:
    return story_line(entry, tell(entry) + transfers_about(entry, *subjects))
