"""What the clients of a run sent and heard, and when: the only witness that an engine cannot influence."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Call", "History", "Outcome", "Verb"]

Verb = Literal["submit", "cancel", "settle", "wait"]
"""What a call asks. What it gives and hears:

- submit: gives {"kind", "input"}, hears the job's id
- cancel: gives the job's id, hears `cancelled` or `requested`
- settle: gives {"number", "fence", "outcome"}, hears whether it counted
- wait: gives the job's id, hears [state, output]
"""

Outcome = Literal["unknown", "acknowledged", "refused"]
"""`unknown`: no answer came, so the call may have been obeyed or not."""

_SAYS_NOTHING = frozenset({"disconnected", "timed_out", "internal_error", "corrupt_data", "disk_failed"})
"""Errors after which nobody knows whether the request was obeyed."""


@dataclass(slots=True)
class Call:
    """One call of a client. `inputs` are to be made of integers, ASCII text, lists and objects."""

    client: str
    number: int
    verb: Verb
    key: str | None
    given: Any
    sent_ns: int
    heard_ns: int = 0
    outcome: Outcome = "unknown"
    answer: Any = None
    """What was acknowledged, or the code of the refusal."""


class History:
    """The calls of a run. With a `log` each line is written before the call goes on, so a killed client's are kept.

    `complete`: every call that anybody made is here, so a job that no call explains is one that nobody submitted.
    """

    def __init__(self, log: Path | None = None, *, complete: bool = True) -> None:
        self.complete = complete
        self.calls: list[Call] = []
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(self, client: str, verb: Verb, given: Any, *, key: str | None = None) -> Call:
        """Note a call that is about to be sent. Until something is heard of it its outcome is unknown."""
        call = Call(client, len(self.calls), verb, key, given, time.monotonic_ns())
        self.calls.append(call)
        self._write([call.client, call.number, call.verb, call.key, call.given, call.sent_ns])
        return call

    def acknowledge(self, call: Call, answer: Any) -> None:
        """Note that a call was answered."""
        self._hear(call, "acknowledged", answer)

    def fail(self, call: Call, code: str) -> None:
        """Note an error by its code; one that says nothing about the request leaves its outcome unknown."""
        if code not in _SAYS_NOTHING:
            self._hear(call, "refused", code)

    def acknowledged(self, verb: Verb) -> Iterator[Call]:
        """The calls of a kind that were answered."""
        return (call for call in self.calls if call.verb == verb and call.outcome == "acknowledged")

    def count(self, verb: Verb, outcome: Outcome) -> int:
        """How many calls of a kind ended in a way."""
        return sum(call.verb == verb and call.outcome == outcome for call in self.calls)

    def close(self) -> None:
        """Give the log's file back."""
        if self._log is not None:
            os.close(self._log)
            self._log = None

    @classmethod
    def read(cls, *logs: Path, complete: bool = True) -> History:
        """The history that several clients have written, each to a log of its own."""
        history = cls(complete=complete)
        for log in logs:
            calls: dict[int, Call] = {}
            for line in log.read_bytes().split(b"\n")[:-1]:
                fields = json.loads(line)
                if len(fields) == 6:
                    calls[fields[1]] = Call(*fields)
                else:
                    number, outcome, answer, heard_ns = fields
                    call = calls[number]
                    call.outcome, call.answer, call.heard_ns = outcome, answer, heard_ns
            history.calls += calls.values()
        return history

    def _hear(self, call: Call, outcome: Outcome, answer: Any) -> None:
        call.outcome, call.answer, call.heard_ns = outcome, answer, time.monotonic_ns()
        self._write([call.number, outcome, answer, call.heard_ns])

    def _write(self, fields: list[Any]) -> None:
        if self._log is not None:
            # One write of one line: a kill leaves it whole or leaves it out.
            os.write(self._log, json.dumps(fields).encode() + b"\n")
