"""The loop that looks at what alerts watch, has them raised and cleared, and told to whoever is to hear of it.

What cannot be written down is told all the same, and is written down once it can be.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from sheratan.ambient.clock import Clock
from sheratan.contracts.alerts import AlertingRecord, GetAlerting, TestAlerts, TestResult
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.principal import ENGINE
from sheratan.engine.alert_commands import Finding, NoteAlerts, Told
from sheratan.engine.alert_measures import Reading, Watched, measure, threshold_of
from sheratan.engine.alert_views import UNWRITTEN, notice_of, rule_records, test_notice
from sheratan.engine.alerts import fact_of, question
from sheratan.engine.outbox import Delivery, Outbox
from sheratan.kernel.alerting import AlertFact, decide_alert, is_beyond, rule_of

__all__ = ["Alerting"]

UNWRITTEN_MAX: Final = 1_000
"""Changes that wait to be written down; with more of them no more alerts change until some are."""

_TOLD_AGAIN_US: Final = 86_400_000_000
"""After a start, what was cleared is told if nobody was told of it, and it is no older news than this."""

_WELL: Final = "nothing is wrong there any more, or nobody watches it"

_WRITE_US: Final = 5_000_000
"""How long the engine may take to write a change down before it is told all the same."""


class _Side(NamedTuple):
    """On which side of its threshold something is, and since when by the monotonic clock."""

    is_beyond: bool
    since_us: int


class _Change:
    """An alert that is to be raised or cleared, not written down yet."""

    def __init__(self, finding: Finding, found_us: int) -> None:
        self.finding = finding
        self.found_us = found_us
        self.is_told = False


class Alerting:
    """Round after round: everything is measured, and what has changed for long enough is written down and told."""

    def __init__(self, watched: Watched, outbox: Outbox, clock: Clock, source: str) -> None:
        self._watched = watched
        self._engine = watched.engine
        self._settings = watched.settings
        self._outbox = outbox
        self._clock = clock
        self._source = source
        self._sides: dict[str, _Side] = {}
        self._unwritten: list[_Change] = []
        self._noted: dict[tuple[str, int], Told] = {}
        """What was told and is to be written down: of each change the last, so that no outage can grow it."""
        self._told_us: dict[str, int] = {}
        self._under_way = Counter[str]()
        """Notices that are on their way, by subject."""
        self._rounds: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.bug: str | None = None
        """What has gone wrong in the last round that nobody would see."""
        outbox.on_end = self._delivered

    def start(self) -> None:
        """Look, now and every so often."""
        self.begin()
        self._rounds = asyncio.create_task(self._go_round())

    def begin(self) -> None:
        """Begin to tell, first of what nobody was told of before the start."""
        self._outbox.start()
        for fact in list(self._engine.state.alerts.values()):
            is_news = fact.is_open or self._engine.recorded_us() - fact.seen_us < _TOLD_AGAIN_US
            if not fact.is_told and is_news:
                self._tell(fact)

    def close(self) -> None:
        """Look no more, and tell nobody any more."""
        for task in (self._rounds, self._writing):
            if task is not None:
                task.cancel()
        self._outbox.close()

    @property
    def problems(self) -> list[str]:
        """The targets that do not take what they are sent, and why."""
        return [*([self.bug] if self.bug else []), *self._outbox.problems]

    async def answer(self, request: GetAlerting | TestAlerts) -> AlertingRecord | list[TestResult]:
        """What is watched and how the targets are doing; or what came of a test notice at each of them."""
        if type(request) is TestAlerts:
            notice = test_notice(self._engine.recorded_us(), self._source)
            return await self._outbox.test(notice, request.target)
        rules = rule_records(self._settings, self.standing().values())
        return AlertingRecord(rules=rules, targets=self._outbox.records())

    def standing(self) -> dict[str, AlertFact]:
        """Every alert by subject, as it is even where that could not be written down yet."""
        return self._engine.state.alerts | self._overlay()

    def _overlay(self) -> dict[str, AlertFact]:
        """The alerts that have changed since something could be written down."""
        return {
            change.finding.subject: fact_of(change.finding, None, UNWRITTEN) for change in self._unwritten
        }

    async def _go_round(self) -> None:
        while True:
            try:
                self.look()
                self.bug = None
            except Exception as error:
                # Nobody would look any more: so it is told where people look, and tried again.
                self.bug = f"a bug: {type(error).__name__}: {error}"
            await asyncio.sleep(self._settings.interval_seconds)

    def look(self) -> None:
        """One round."""
        facts = self.standing()
        readings = self._measure(facts)
        self._sides = {subject: self._side(reading) for subject, reading in readings.items()}
        for subject, reading in readings.items():
            fact = facts.get(subject)
            if reading.value is not None and len(self._unwritten) < UNWRITTEN_MAX:
                self._decide(reading, reading.value, fact if fact is not None and fact.is_open else None)
        self._engine.unwritten_alerts = self._overlay()
        self._write()
        self._repeat()

    def _measure(self, facts: Mapping[str, AlertFact]) -> dict[str, Reading]:
        """Everything that may be wrong, and that which was and is not."""
        found = {reading.subject: reading for reading in measure(self._watched)}
        for subject, fact in facts.items():
            if fact.is_open and subject not in found:
                found[subject] = Reading(subject, rule_of(subject), 0, _WELL, fact.severity)
        return found

    def _side(self, reading: Reading) -> _Side:
        """Where it is, and since when; what cannot be measured now is where it was."""
        now_us, known = self._clock.monotonic_us(), self._sides.get(reading.subject)
        if reading.value is None:
            return known or _Side(False, now_us)
        beyond = is_beyond(reading.value, threshold_of(self._settings, reading.rule))
        return known if known is not None and known.is_beyond == beyond else _Side(beyond, now_us)

    def _decide(self, reading: Reading, value: int, opened: AlertFact | None) -> None:
        rule, now_us = getattr(self._settings.rules, reading.rule), self._clock.monotonic_us()
        hold_seconds = rule.hold_seconds if opened is None else self._settings.clear_seconds
        finding = Finding(
            subject=reading.subject,
            # Whoever heard that something is wrong hears that it is well again.
            severity=reading.severity if opened is None else opened.severity,
            value=value,
            threshold=threshold_of(self._settings, reading.rule),
            held_us=now_us - self._sides[reading.subject].since_us,
            hold_us=round(hold_seconds * 1_000_000),
            text=reading.text,
            affected=reading.affected,
            seen_us=self._engine.recorded_us(),
        )
        if decide_alert(question(finding, is_open=opened is not None)).chosen != "keep":
            self._unwritten.append(_Change(finding, now_us))

    def _write(self) -> None:
        """Have written down what is not; what takes too long is told without."""
        if self._writing is not None and not self._writing.done():
            late_us = self._clock.monotonic_us() - _WRITE_US
            for change in self._unwritten:
                if change.found_us <= late_us:
                    self._tell_once(change, UNWRITTEN)
        elif self._unwritten or self._noted:
            self._writing = asyncio.create_task(self._have_written())

    async def _have_written(self) -> None:
        changes, noted = list(self._unwritten), dict(self._noted)
        findings = tuple(change.finding for change in changes)
        command = NoteAlerts(findings=findings, told=tuple(noted.values()))
        try:
            entries: list[int | None] = await self._engine.ask(command, ENGINE)
        except SheratanError:
            # It is asked for again after the next round, and told now.
            for change in changes:
                self._tell_once(change, UNWRITTEN)
            return
        del self._unwritten[: len(changes)]
        self._noted = {key: told for key, told in self._noted.items() if noted.get(key) is not told}
        self._engine.unwritten_alerts = self._overlay()
        for change, entry in zip(changes, entries, strict=True):
            if entry is not None:
                self._tell_once(change, entry)

    def _tell_once(self, change: _Change, entry: int) -> None:
        if not change.is_told:
            change.is_told = True
            self._tell(fact_of(change.finding, None, entry))

    def _tell(self, fact: AlertFact, again_us: int | None = None) -> None:
        if self._outbox.put(notice_of(fact, self._source, again_us)):
            self._under_way[fact.subject] += 1

    def _delivered(self, delivery: Delivery) -> None:
        """Everybody who is to hear of it has, or was given up on."""
        notice = delivery.notice
        if notice.rule is None:
            return
        self._under_way[notice.subject] -= 1
        self._told_us[notice.subject] = self._engine.recorded_us()
        self._noted[notice.subject, notice.since_us] = Told(
            subject=notice.subject,
            seen_us=notice.since_us,
            taken=tuple(delivery.taken),
            given_up=tuple(delivery.given_up),
            held_back=delivery.is_held_back,
        )

    def _repeat(self) -> None:
        """Tell again of what has been open for long."""
        repeat_us = round(self._settings.repeat_seconds * 1_000_000)
        if not repeat_us:
            return
        now_us = self._engine.recorded_us()
        for subject, fact in self.standing().items():
            told_us = self._told_us.get(subject, fact.told_us)
            is_due = told_us is not None and now_us - told_us >= repeat_us
            if fact.is_open and is_due and not self._under_way[subject]:
                self._tell(fact, now_us)
