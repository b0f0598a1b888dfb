"""The form of a journal, entry by entry: numbers, hashes, canonical bytes, time, who acted. It needs no database."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.journal import ENTRY_TYPES, ENTRY_VERSION, GENESIS, Entry
from sheratan.kernel.canonical import canonical
from sheratan.kernel.chain import Head, encode_entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.page_form import PageForm, prove_page
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.stencil import Run, Stencils

__all__ = ["Trail"]


def _refuse_float(text: str) -> Any:
    raise ValueError(f"{text} is a float, and floats differ between machines")


_decode = msgspec.json.Decoder(Entry, float_hook=_refuse_float).decode
_TYPES: Final = frozenset(ENTRY_TYPES)


class Trail:
    """Reads entries in order and remembers the end reached: the next `seq`, the last `hash` and instant `at_us`.

    After a break it goes on with what it finds, so that one fault is one violation or a few, not all that follow.
    `known` is a head that somebody noted earlier: the entry before its `seq` must have its `hash`. It begins at
    `start`, the end of what is not at hand, or at the first entry of all.
    """

    def __init__(
        self, violations: list[Violation], known: Head | None = None, *, start: Head | None = None
    ) -> None:
        start = start or Head(hash=GENESIS)
        self.seq = start.seq
        self.hash: str | None = start.hash
        """None after an entry whose bytes cannot be read: what the next one names as `prev` is then not compared."""
        self.at_us = start.at
        self._violations = violations
        self._stencils = Stencils()
        self._known = None if known == Head() else known
        """The noted head while it was not met."""
        self._doubt: int | None = None
        """An entry whose `prev` does not fit the entry before: the next entry says which of the two was changed."""

        if self.seq and self._known is not None and self._known.seq == self.seq:
            self._meet(self._known)

    @property
    def unmet(self) -> Head | None:
        """The noted head, while it was not met."""
        return self._known

    @property
    def head(self) -> Head:
        """The end of the journal as far as it was read."""
        return Head(self.seq, self.hash or "", self.at_us)

    def take_page(self, lines: list[bytes]) -> list[list[Entry] | Run] | None:
        """The next entries, when nothing is wrong with their form; None when they are to be `read` one by one."""
        if self.hash is None or self._doubt is not None:
            return None
        form = prove_page(lines, Head(self.seq, self.hash, self.at_us), self._stencils)
        if form is None or not self._fits_known(form):
            return None
        self.seq, self.hash, self.at_us = form.end.seq, form.end.hash, form.end.at
        return form.parts

    def _fits_known(self, form: PageForm) -> bool:
        known = self._known
        if known is None or not self.seq < known.seq <= form.end.seq:
            return True
        if form.hash_at(known.seq - self.seq - 1) != known.hash:
            return False
        self._known = None
        return True

    def read(self, line: bytes, *, may_hold_secret: bool = True) -> Entry | None:
        """Take the next entry's bytes; None when they are no entry.

        Who has looked through many lines at once says with `may_hold_secret` whether to look closer at this one.
        """
        try:
            entry = _decode(line)
        except (ValueError, RecursionError) as error:
            self._say(self.seq, "J8", f"the bytes at this place are not an entry: {error}")
            self.seq += 1
            self.hash, self._doubt = None, None
            return None
        in_order = entry.seq == self.seq
        if not in_order:
            self._out_of_order(entry.seq)
        if not in_order or entry.prev != self.hash or self._doubt is not None:
            self._check_prev(entry, in_order)
        self.seq = entry.seq + 1
        self.hash = hashlib.sha256(line).hexdigest()
        if self._known is not None and self._known.seq == self.seq:
            self._meet(self._known)
        self._check_form(entry, line)
        self._check_facts(entry)
        secret = find_secret(line) if may_hold_secret else None
        if secret is not None:
            self._say(entry.seq, "J13", f"it seems to hold {secret}")
        return entry

    def unread(self, head: Head) -> list[Violation]:
        """What is wrong with the end that was reached, when `head` is the end that is meant."""
        found: list[Violation] = []
        if head.seq != self.seq:
            text = f"the journal ends before entry {self.seq}, its recorded end is before entry {head.seq}"
            found.append(Violation(min(head.seq, self.seq), "J1", text))
        elif self.hash is not None and head.hash != self.hash:
            text = "the last entry's hash is not the recorded head: it was changed, or the head was"
            found.append(Violation(self.seq - 1, "J2", text))
        elif self._doubt is not None:
            found.append(_changed(self._doubt - 1))
        if self._known is not None:
            found.append(self._unmet(self._known))
        if head.seq == self.seq and head.at != self.at_us:
            text = f"the last entry is of {self.at_us}, the recorded end of {head.at}"
            found.append(Violation(self.seq - 1, "J14", text))
        return found

    def _meet(self, known: Head) -> None:
        self._known = None
        if self.hash != known.hash:
            text = f"its hash is {self.hash}, and {known.hash} was noted for it: this is another journal"
            self._say(known.seq - 1, "J2", text)

    def _unmet(self, known: Head) -> Violation:
        if self.seq < known.seq:
            text = f"the journal ends before entry {self.seq}, and it had {known.seq} entries when its head was noted"
            return Violation(self.seq, "J1", text)
        return Violation(known.seq - 1, "J2", "its hash was noted, and it cannot be read")

    def _say(self, seq: int, invariant: str, text: str) -> None:
        self._violations.append(Violation(seq, invariant, text))

    def _out_of_order(self, seq: int) -> None:
        if seq > self.seq:
            self._say(self.seq, "J1", f"entry {self.seq} is missing: entry {seq} stands in its place")
        else:
            self._say(self.seq, "J1", f"entry {seq} stands where entry {self.seq} belongs")

    def _check_prev(self, entry: Entry, in_order: bool) -> None:
        """Entry k with changed content unsettles only k + 1; with a changed `prev`, itself and k + 1."""
        if not in_order or self.hash is None:
            # Said already; the neighbour that `prev` stands for is not there.
            self._doubt = None
        elif entry.prev == self.hash:
            if self._doubt is not None:
                self._violations.append(_changed(self._doubt - 1))
                self._doubt = None
        elif self._doubt is None:
            self._doubt = entry.seq
        else:
            self._violations.append(_changed(self._doubt))
            self._doubt = None
        if self._doubt == 0:
            # There is nothing before entry 0 that could have been changed.
            self._violations.append(_changed(0))
            self._doubt = None

    def _check_form(self, entry: Entry, line: bytes) -> None:
        if not _is_canonical(entry, line):
            self._say(entry.seq, "J8", "its bytes are not the canonical form of what they say")
        if entry.type not in _TYPES or entry.v != ENTRY_VERSION:
            self._say(entry.seq, "J8", f"{entry.type!r} of version {entry.v} is not a known form of entry")

    def _check_facts(self, entry: Entry) -> None:
        seq, at_us = entry.seq, entry.at
        if at_us < self.at_us:
            self._say(seq, "J9", f"its instant {at_us} is before {self.at_us}, that of the entry before it")
        else:
            self.at_us = at_us
        if not (entry.actor and entry.on_behalf_of and entry.auth and entry.tenant):
            self._say(
                seq, "J10", "it does not say who acted, for whom, in which tenant and how the actor was known"
            )
        if entry.cause is not None and not 0 <= entry.cause < seq:
            self._say(seq, "cause", f"it names entry {entry.cause} as its cause, which is not earlier")


def _changed(seq: int) -> Violation:
    return Violation(
        seq, "J2", "its bytes do not fit the hashes beside it: it was changed after it was written"
    )


def _is_canonical(entry: Entry, line: bytes) -> bool:
    """Of what the entry says, and of what stands there: in order beyond ASCII, too, and with no integer beyond 2^53."""
    if encode_entry(entry) != line:
        return False
    try:
        return canonical(msgspec.json.decode(line)) == line
    except InvalidInput:
        return False
