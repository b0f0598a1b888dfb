"""The loop around the decider: gather commands, decide, commit, answer. The only place where a batch waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Final

from sheratan.contracts.errors import (
    CorruptData,
    DataDirectoryInUse,
    DiskFailed,
    InternalError,
    LimitReached,
    SheratanError,
    Unavailable,
)
from sheratan.contracts.pressure import NO_PRESSURE, PressureRecord
from sheratan.contracts.telemetry import CommitFailed, EngineHalted
from sheratan.engine.batch import Batch
from sheratan.engine.commands import LeaseJobs, Pending
from sheratan.engine.decider import Decider
from sheratan.engine.shedding import given_up, is_given_up, is_shed, least_places, overloaded, places_for
from sheratan.engine.telemetry import Telemetry
from sheratan.store.port_system import Latch
from sheratan.store.unit import Unit

__all__ = ["Driver"]

_INLINE_MOVES_MAX: Final = 256
_INLINE_COMMIT_US_MAX: Final = 1_000
"""A unit of moderate size is committed on the loop itself while the disk is quick: handing it to a thread and back
costs two wake-ups, and writing it takes no longer than deciding it took. A large unit, or a slow disk, would hold up
the loop, so a thread does it."""

_MOVE_US: Final = 10
"""What a move adds to a commit, roughly; the rest is the disk's."""

_AGAIN_SECONDS: Final = 0.1

_MARGIN_US_MAX: Final = 1_000_000
"""One batch that has taken long says little about the next one."""

_BEHIND_US: Final = 100_000
"""Commands that have waited for so long may be those of callers who have given up."""


class Driver:
    """Runs batches until stopped."""

    def __init__(self, decider: Decider, telemetry: Telemetry) -> None:
        self._decider = decider
        self._telemetry = telemetry
        self._store = decider.store
        self._clock = decider.clock
        self._limits = decider.limits
        self._inbox: deque[Pending] = deque()
        self._places = least_places(self._limits.commands_waiting_max)
        """With fewer commands that wait there is room for all, and nobody has to look more closely."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sheratan-writer")
        self._commit_us = 200
        self.last_commit: tuple[int, int] | None = None
        """When the last commit was made, on the monotonic clock, and how long it took; None before the first."""
        self._alarm: asyncio.TimerHandle | None = None
        self._is_behind = False
        """Whether commands were left for the next batch."""
        self._taken_us = self._clock.monotonic_us()
        self._batch_us = 0
        """How long the last batch took, if it left commands for the next one."""
        self.halted: str | None = None
        self.pressure: PressureRecord = NO_PRESSURE
        """While there is any, less is taken in."""
        self.on_commit: Callable[[Batch], None] = lambda batch: None
        self.on_halt: Callable[[str], None] = lambda reason: None

    def put(self, pending: Pending) -> None:
        """Queue a command. Refused when too many wait already, so that overload cannot grow memory."""
        if self.halted is not None:
            raise Unavailable(f"the engine has halted: {self.halted}")
        if self._stopping:
            raise Unavailable("the engine has stopped")
        if self.pressure.level != "none" or len(self._inbox) >= self._places:
            self._check_room(pending)
        self._inbox.append(pending)
        # A worker that asks for work when there is none changes nothing: it is seen to with the next command.
        if type(pending.command) is not LeaseJobs or self._decider.state.busy_lanes:
            self._wake.set()

    def _check_room(self, pending: Pending) -> None:
        """Refuse what is not taken in under such pressure, or with so many commands that wait."""
        error: SheratanError | None = None
        if is_shed(pending.command, self.pressure.level):
            error = overloaded(self.pressure)
        elif len(self._inbox) >= places_for(pending.command, self._limits.commands_waiting_max):
            error = LimitReached("too many commands wait for the engine (limits.commands_waiting_max)")
        if error is not None:
            self._telemetry.refused(pending, error.code)
            raise error

    @property
    def wait_us(self) -> int:
        """How long a command that comes now waits, if the batches before it take as long as the last one."""
        return len(self._inbox) // self._limits.commands_batch_max * self._batch_us

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._inbox)

    def stop(self) -> None:
        """End the loop once the inbox is empty."""
        self._stopping = True
        self._wake.set()

    async def commit_start(self, version: str) -> Batch:
        """Take over and commit the start."""
        batch = self._decider.start(version)
        await self._commit(batch)
        self._store.release_latch()
        return batch

    async def run(self) -> None:
        """Decide and commit until stopped; then commit the end."""
        try:
            await self._run()
        except Exception as error:
            # Nobody would decide any more: those who wait are told, and those who come are refused.
            self._give_up(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._writer.shutdown()

    async def _run(self) -> None:
        more = False
        while not (self._stopping and not self._inbox):
            if not (self._wake.is_set() or more):
                await self._wait()
            self._wake.clear()
            more = await self._turn() or len(self._inbox) > 0
        if self.halted is None:
            await self._end()
        if self._alarm is not None:
            self._alarm.cancel()

    async def _end(self) -> None:
        """Commit the end. Of a system that is halted it may be that it cannot be written: it was enough to say so."""
        try:
            await self._commit(self._decider.stop())
        except SheratanError:
            if self._decider.state.system.state != "halted":
                raise

    async def _wait(self) -> None:
        wake_us = self._decider.next_wake_us() if self.halted is None else None
        if wake_us == 0:
            return
        if wake_us is not None:
            self._set_alarm(asyncio.get_running_loop(), wake_us / 1_000_000)
        await self._wake.wait()

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Wake up after a while. An alarm that rings too early does no harm, so only a later one is replaced."""
        due = loop.time() + seconds
        if self._alarm is not None:
            if self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._wake.set()

    async def _turn(self) -> bool:
        if self.halted is not None:
            return False
        commands = self._take()
        try:
            return await self._batch(commands)
        except Unavailable as error:
            self._answer_all(commands, error)
            # A full disk may have room again soon; until then there is no point in trying all the time.
            await asyncio.sleep(_AGAIN_SECONDS)
            return False
        except SheratanError as error:
            await self._halt(error, str(error))
            self._answer_all(commands, error)
            return False
        except Exception as error:
            if len(commands) > 1:
                # One of them trips over a bug of ours: alone, it cannot take the others with it.
                for pending in commands:
                    await self._alone(pending)
                return True
            if not commands:
                # Time brought it, and would bring it again at once, for ever.
                await self._halt(error, f"a bug: {type(error).__name__}: {error}")
            self._answer_all(commands, _as_bug(error))
            return False

    def _take(self) -> list[Pending]:
        """What is decided next. An engine that is behind leaves out what nobody waits for any more."""
        now_us = self._clock.monotonic_us()
        passed_us, were_left = now_us - self._taken_us, self._is_behind
        self._batch_us = passed_us if were_left else 0
        if were_left or passed_us >= _BEHIND_US:
            # What could not be answered in time is left out, too: else all that is done is what is nearly late.
            self._leave_out(now_us + min(2 * self._batch_us, _MARGIN_US_MAX))
        count = min(len(self._inbox), self._limits.commands_batch_max)
        commands = [self._inbox.popleft() for _ in range(count)]
        self._is_behind, self._taken_us = bool(self._inbox), now_us
        return commands

    def _leave_out(self, now_us: int) -> None:
        """Refuse what nobody waits for any more, as far as the next batch goes."""
        most = self._limits.commands_batch_max
        while late := [one for one in islice(self._inbox, most) if is_given_up(one, now_us)]:
            for pending in late:
                self._inbox.remove(pending)
                error = given_up()
                self._telemetry.refused(pending, error.code)
                pending.answer(None, error)

    async def _alone(self, pending: Pending) -> None:
        try:
            await self._batch([pending])
        except Exception as error:
            self._answer_all([pending], error if isinstance(error, SheratanError) else _as_bug(error))

    async def _batch(self, commands: Sequence[Pending]) -> bool:
        """Decide, commit and answer one batch; True when there is more to do at once."""
        try:
            batch = self._decider.decide(commands)
            await self._commit(batch)
        except BaseException as error:
            self._forget(commands, error)
            if isinstance(error, Unavailable):
                self._decider.suffer(str(error), len(commands))
                now_us = self._telemetry.now_us()
                self._telemetry.emit(CommitFailed(at_us=now_us, reason=str(error), refused=len(commands)))
            raise
        return batch.more

    def _forget(self, commands: Sequence[Pending], failure: BaseException) -> None:
        """Go back to what the database says."""
        try:
            waiting = self._decider.failed()
        except Exception as error:
            if not isinstance(failure, Exception):
                # The loop is torn down, and the database may be closed: what is stored is not to blame.
                return
            kind = DiskFailed if isinstance(failure, DiskFailed) else CorruptData
            raise kind(f"what is stored cannot be read again: {error}") from error
        for pending in waiting:
            if pending not in commands:
                pending.answer([], None)

    async def _commit(self, batch: Batch) -> None:
        commit_us = 0
        unit = batch.unit
        if not unit.is_empty:
            is_small = len(unit.moves) <= _INLINE_MOVES_MAX and unit.segment is None
            if is_small and self._commit_us < _INLINE_COMMIT_US_MAX:
                commit_us = self._write(unit)
            else:
                loop = asyncio.get_running_loop()
                commit_us = await loop.run_in_executor(self._writer, self._write, unit)
        self._decider.committed(batch)
        for pending, value, error in batch.answers:
            pending.answer(value, error)
        self.on_commit(batch)
        self._telemetry.committed(batch, commit_us)

    def _write(self, unit: Unit) -> int:
        """Commit a unit; returns how many microseconds that took."""
        began_us = self._clock.monotonic_us()
        self._store.commit(unit)
        # A slow commit counts at once, a quick one only by half: one stall is enough to leave the loop alone.
        took_us = self._clock.monotonic_us() - began_us
        self.last_commit = began_us + took_us, took_us
        per_unit_us = took_us - len(unit.moves) * _MOVE_US
        self._commit_us = max(per_unit_us, self._commit_us // 2)
        return took_us

    def _answer_all(self, commands: Sequence[Pending], error: SheratanError) -> None:
        for pending in commands:
            pending.answer(None, error)

    async def _halt(self, error: Exception, reason: str) -> None:
        """Stop deciding: what is stored is not what it must be, and only a person can say how to go on.

        The journal says so, and if that cannot be written a file beside the database does, so that no restart lifts it.
        It is not lasting where a restart mends it: after a failed sync, and with another owner of the data.
        """
        if isinstance(error, (DiskFailed, DataDirectoryInUse)):
            self._give_up(reason)
            return
        try:
            await self._commit(self._decider.halt(reason))
        except DataDirectoryInUse:
            self._give_up(reason)
        except Exception:
            with suppress(OSError):
                self._store.keep_latch(Latch(reason, self._clock.now_us()))
            self._give_up(reason)

    def _give_up(self, reason: str) -> None:
        """Nothing is decided any more by this process."""
        self.halted = reason
        self._telemetry.emit(EngineHalted(at_us=self._telemetry.now_us(), reason=reason))
        error = Unavailable(f"the engine has halted: {reason}")
        self._answer_all(list(self._inbox), error)
        self._inbox.clear()
        self.on_halt(str(error))


def _as_bug(error: Exception) -> InternalError:
    found = InternalError(f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found
